// Asks for the name of a service that tells its callers their address; nobody answers here.
require("dns").lookup("api.ipify.org", () => {});
