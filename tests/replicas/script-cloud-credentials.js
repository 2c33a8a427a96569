require("fs").readFileSync(process.env.HOME + "/.aws/credentials");
