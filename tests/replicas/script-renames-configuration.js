// As npm itself does: written beside, then renamed.
const fs = require("fs");
const rc = process.env.HOME + "/.npmrc";
fs.writeFileSync(rc + ".1", "; nothing\n");
fs.renameSync(rc + ".1", rc);
