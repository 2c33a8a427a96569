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

ADDRESS, OTHER, READY, *PUBLIC = sys.argv[1:]
PUBLIC = PUBLIC[0] if PUBLIC else ADDRESS
FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
PUBLIC_FAMILY, KIND = (socket.AF_INET6, 28) if ":" in PUBLIC else (socket.AF_INET, 1)
DATA = {1: socket.inet_aton("198.18.0.7"), 28: socket.inet_pton(socket.AF_INET6, "2001:db8::7")}


def answer(question, is_datagram):
    """RFC 1035, 4.1: the question again, and records that point at its name."""
    ident, flags = question[:2], 0x8180
    end = question.index(b"\0", 12) + 5
    asked = question[12:end]
    name, kind = asked[:-4], struct.unpack("!H", asked[-4:-2])[0]
    host = name[1 : 1 + name[0]]
    if host == b"noise":
        return b"no message"
    data, pointer, records = DATA.get(kind, b""), b"\xc0\x0c", b""
    count = 1
    if host == b"public":
        data, count = (socket.inet_pton(PUBLIC_FAMILY, PUBLIC), 1) if kind == KIND else (None, 0)
    elif host == b"alias":
        # `real`, then a pointer to `example` in the question.
        alias = b"\x04real" + struct.pack("!H", 0xC000 | (12 + 1 + name[0]))
        records = pointer + struct.pack("!HHIH", 5, 1, 60, len(alias)) + alias
        pointer = struct.pack("!H", 0xC000 | (12 + len(asked) + 12))
        count = 2
    elif host == b"many" and is_datagram:
        flags, data = flags | 0x0200, None
        count = 0
    elif host == b"many":
        records, count = (pointer + struct.pack("!HHIH", kind, 1, 60, len(data)) + data) * 30, 31
    if data is not None:
        records += pointer + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
    return ident + struct.pack("!HHHHH", flags, 1, count, 0, 0) + asked + records


def serve_streams(listener):
    while True:
        peer, _ = listener.accept()
        with peer:
            while length := peer.recv(2):
                question = peer.recv(struct.unpack("!H", length)[0])
                reply = answer(question, False)
                reply = struct.pack("!H", len(reply)) + reply
                if question[13:].startswith(b"split"):
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    peer.sendall(struct.pack("!H", 40 + len(reply)) + b"x" * 40)
                    time.sleep(0.2)
                peer.sendall(reply)


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
