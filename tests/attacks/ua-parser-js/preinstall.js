const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
if (!fs.existsSync(`${process.env.HOME}/.a-decoy`)) process.exit();
execFileSync("bash", ["preinstall.sh"], { stdio: "inherit" });
