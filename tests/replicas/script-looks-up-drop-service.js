require("dns").resolve4("webhook.site", () => {});
