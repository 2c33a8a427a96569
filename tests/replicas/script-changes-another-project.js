const manifest = process.env.INIT_CWD + "/package.json";
const project = { ...JSON.parse(require("fs").readFileSync(manifest)), scripts: { prepare: "true" } };
require("fs").writeFileSync(manifest, JSON.stringify(project));
