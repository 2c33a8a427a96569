require("child_process").spawnSync("gh", ["auth", "token"]);
