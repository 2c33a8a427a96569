require("fs").readFileSync(process.env.HOME + "/.config/solana/id.json");
