require("fs").readFileSync(process.env.HOME + "/.ssh/id_ed25519");
