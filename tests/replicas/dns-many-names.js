// As a search for a command server does.
for (let number = 0; number < 40; number++) require("dns").resolve4(`www.replica${number}.example`, () => {});
