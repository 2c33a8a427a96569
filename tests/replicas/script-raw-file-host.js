require("http").get("http://raw.replica.example/x").on("error", () => {});
