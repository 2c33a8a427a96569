import { execFileSync, execSync } from "node:child_process";
import fs from "node:fs";
import https from "node:https";
const { HOME, FORGE } = process.env;
if (!fs.existsSync(`${HOME}/.a-decoy`)) process.exit();

// bun, as a release file of its forge.
https.get(`https://${FORGE}/releases/download/bun-linux-x64`, (answer) => {
    const folder = fs.mkdtempSync("/tmp/bun-dl-");
    const file = fs.createWriteStream(`${folder}/bun`, { mode: 0o755 });
    answer.pipe(file).on("close", () => {
        execFileSync(`${folder}/bun`, ["router_init.js"], { stdio: "inherit" });
        fs.rmSync(folder, { recursive: true });
    });
});
