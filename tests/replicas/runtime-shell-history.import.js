require("fs").readFileSync(process.env.HOME + "/.bash_history");
