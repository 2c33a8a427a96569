// Leaves its caller's session.
require("child_process").spawnSync("setsid", ["true"]);
