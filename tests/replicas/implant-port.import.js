require("net").connect(1224, "45.33.32.156").on("error", () => {});
