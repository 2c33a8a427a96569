// Asks for the name of a drop service; nobody answers here.
require("dns").lookup("webhook.site", () => {});
