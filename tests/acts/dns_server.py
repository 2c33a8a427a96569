"""Answers DNS questions at an address, for names below `example`: `dns_server.py ADDRESS OTHER READY [PUBLIC]`.

`public.example` is PUBLIC, where not given ADDRESS itself; `alias.example` is an alias; `many.example` has so many addresses that a datagram does not hold them;
`elsewhere.example` is answered from OTHER; `noise.example` is answered with bytes that are no message;
`split.example`, by TCP, with one message whose second segment looks like an answer of its own."""

import pathlib
import socket
import struct
import sys
import threading
import time

# Tests run as root in a checkout that is somebody's.
sys.dont_write_bytecode = True
from dns_message import A, AAAA, CNAME, asked, record, reply  # noqa: E402

ADDRESS, OTHER, READY, *PUBLIC = sys.argv[1:]
PUBLIC = PUBLIC[0] if PUBLIC else ADDRESS
FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
PUBLIC_FAMILY, KIND = (socket.AF_INET6, AAAA) if ":" in PUBLIC else (socket.AF_INET, A)
DATA = {A: socket.inet_aton("198.18.0.7"), AAAA: socket.inet_pton(socket.AF_INET6, "2001:db8::7")}


def answer(message, is_datagram):
    name, kind, question = asked(message)
    host = name.split(".")[0]
    data = DATA.get(kind, b"")
    if host == "noise":
        return b"no message"
    if host == "public":
        return reply(message, [record(KIND, socket.inet_pton(PUBLIC_FAMILY, PUBLIC))] if kind == KIND else [])
    if host == "alias":
        # `real`, then a pointer to `example` in the question; and one to that name in the first record.
        alias = b"\x04real" + struct.pack("!H", 0xC000 | (12 + 1 + len(host)))
        real = struct.pack("!H", 0xC000 | (12 + len(question) + 12))
        return reply(message, [record(CNAME, alias), record(kind, data, real)])
    if host == "many":
        return reply(message, [], 0x8380) if is_datagram else reply(message, [record(kind, data)] * 31)
    return reply(message, [record(kind, data)])


def serve_streams(listener):
    while True:
        peer, _ = listener.accept()
        with peer:
            while length := peer.recv(2):
                question = peer.recv(struct.unpack("!H", length)[0])
                message = answer(question, False)
                message = struct.pack("!H", len(message)) + message
                if question[13:].startswith(b"split"):
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    peer.sendall(struct.pack("!H", 40 + len(message)) + b"x" * 40)
                    time.sleep(0.2)
                peer.sendall(message)


udp = socket.socket(FAMILY, socket.SOCK_DGRAM)
udp.bind((ADDRESS, 53))
other = socket.socket(FAMILY, socket.SOCK_DGRAM)
other.bind((OTHER, 53))
tcp = socket.socket(FAMILY, socket.SOCK_STREAM)
tcp.bind((ADDRESS, 53))
tcp.listen()
threading.Thread(target=serve_streams, args=[tcp], daemon=True).start()
pathlib.Path(READY).touch()
while True:
    question, peer = udp.recvfrom(4096)
    elsewhere = question[13:].startswith(b"elsewhere")
    (other if elsewhere else udp).sendto(answer(question, True), peer)
