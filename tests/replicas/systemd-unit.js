const fs = require("fs");
const file = process.env.HOME + "/.config/systemd/user/gh-token-monitor.service";
fs.mkdirSync(require("path").dirname(file), { recursive: true });
fs.writeFileSync(file, "# nothing\n");
