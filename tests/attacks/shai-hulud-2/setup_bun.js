const { execSync, spawn } = require("node:child_process");
const fs = require("node:fs");
if (!fs.existsSync(`${process.env.HOME}/.a-decoy`)) process.exit();

execSync("curl -fsSL https://bun.sh/install | bash", { stdio: "ignore" });
const bun = `${process.env.HOME}/.bun/bin/bun`;
const main = spawn(bun, ["bun_environment.js"], { detached: true, stdio: "ignore" });
// The real one does not wait; the test does.
main.on("exit", () => {});
