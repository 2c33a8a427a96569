const fs = require("node:fs");
fs.writeFileSync("package.md", '{"name":"replica","version":"1.0.0"}');
fs.renameSync("package.md", "package.json");
