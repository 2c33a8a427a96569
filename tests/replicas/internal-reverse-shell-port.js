require("net").connect(4444, "10.0.0.7").on("error", () => {});
