require("net").connect(80, "169.254.169.254").on("error", () => {});
