// A package that the project has installed before.
const index = process.env.INIT_CWD + "/node_modules/pieces/index.js";
require("fs").appendFileSync(index, "// and more\n");
