require("fs").readFileSync(process.env.HOME + "/actions-runner/.credentials");
