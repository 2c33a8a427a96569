require("fs").readFileSync(process.env.HOME + "/.claude/.credentials.json");
