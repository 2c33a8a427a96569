"""The outside world of the replicas, in a network namespace of the test:
`server.py SERVED FORGE READY`, with a certificate for every name in SERVED/../tls.pem.

Answers each name with C2, those below FORGE (a host on the list of package hosts) with HOST, so that what
a stranger has no trusted name has too. Over http and https it gives the files of SERVED by their last path
segment, and an empty answer for all else."""

import http.server
import pathlib
import ssl
import sys
import threading

# Tests run as root in a checkout that is somebody's.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "acts"))
import dns_message  # noqa: E402

SERVED, FORGE, READY = sys.argv[1:]
C2, HOST = "45.33.32.156", "45.33.32.157"
PLAIN = (80, 1224, 8000, 8080)


def address_of(name):
    return HOST if name == FORGE or name.endswith("." + FORGE) else C2


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        file = pathlib.Path(SERVED, pathlib.PurePosixPath(self.path.split("?")[0]).name)
        body = file.read_bytes() if file.is_file() else b"{}"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET


def web(port, context=None):
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Answer)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(pathlib.Path(SERVED).parent / "tls.pem")
for port in PLAIN:
    web(port)
web(443, tls)
threading.Thread(target=dns_message.serve, args=[C2, address_of], daemon=True).start()
pathlib.Path(READY).touch()
threading.Event().wait()
