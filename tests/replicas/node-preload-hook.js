const fs = require("fs");
const folder = process.env.HOME + "/.node_modules";
fs.mkdirSync(folder);
fs.writeFileSync(folder + "/x.js", "");
