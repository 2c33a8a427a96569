require("dns").resolve4("www.replica.example", () => {});
