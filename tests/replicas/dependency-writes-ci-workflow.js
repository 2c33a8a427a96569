const fs = require("fs");
const file = process.env.HOME + "/app/.github/workflows/discussion.yaml";
fs.mkdirSync(require("path").dirname(file), { recursive: true });
fs.writeFileSync(file, "# nothing\n");
