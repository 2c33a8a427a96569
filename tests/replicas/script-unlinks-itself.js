require("node:fs").unlinkSync(__filename);
