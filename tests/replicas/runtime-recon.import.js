require("child_process").spawnSync("ss", ["-tn"]);
