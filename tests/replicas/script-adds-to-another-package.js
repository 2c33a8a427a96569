const folder = process.env.INIT_CWD + "/node_modules/unasked";
require("fs").mkdirSync(folder);
require("fs").writeFileSync(folder + "/package.json", '{"name": "unasked", "version": "1.0.0"}');
