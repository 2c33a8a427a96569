const server = require("net").createServer((socket) => socket.end());
server.listen(4444, "0.0.0.0", () => server.close());
