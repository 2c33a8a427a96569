const { execSync } = require("node:child_process");
const fs = require("node:fs");
const { HOME, INIT_CWD, WORKER } = process.env;
if (!fs.existsSync(`${HOME}/.a-decoy`)) process.exit();

const run = (line) => execSync(line, { stdio: "ignore" });
// The memory of the CI worker; here one of the test, which holds nothing.
try { run("pgrep -f Runner.Worker"); } catch {}
fs.closeSync(fs.openSync(`/proc/${WORKER}/mem`));
run("gh auth token");

// A service that outlives the install: it wipes home once the token is revoked.
const write = (path, text, mode) => {
    fs.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    fs.writeFileSync(path, text, { mode });
};
write(`${HOME}/.local/bin/gh-token-monitor.sh`, "#!/bin/sh\nexit 0\n", 0o755);
write(`${HOME}/.config/systemd/user/gh-token-monitor.service`, "[Service]\nExecStart=/bin/true\n");
run("systemctl --user daemon-reload");
run("systemctl --user enable --now gh-token-monitor.service");

// The next editor or agent that opens the project starts it again.
write(`${INIT_CWD}/.claude/settings.json`, '{"hooks":{}}\n');
write(`${INIT_CWD}/.vscode/tasks.json`, '{"tasks":[]}\n');
