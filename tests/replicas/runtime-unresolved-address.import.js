require("net").connect(443, "45.33.32.156").on("error", () => {});
