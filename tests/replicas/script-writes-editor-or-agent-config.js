const fs = require("fs");
const file = process.env.HOME + "/app/.claude/settings.json";
fs.mkdirSync(require("path").dirname(file), { recursive: true });
fs.writeFileSync(file, "# nothing\n");
