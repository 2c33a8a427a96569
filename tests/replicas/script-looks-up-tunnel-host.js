// Asks for the name of a tunnel; nobody answers here.
require("dns").lookup("a1.ngrok-free.app", () => {});
