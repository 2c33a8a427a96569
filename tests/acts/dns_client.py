"""Asks a DNS server: `dns_client.py ADDRESS HOW NAME TYPE…`, where HOW is udp-connected, udp-sendto, tcp
or tcp-in-parts. The first question has id 1. Fails unless something comes back for each."""

import socket
import struct
import sys

ADDRESS, HOW, NAME, *TYPES = sys.argv[1:]
FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET


def question(ident, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in NAME.split("."))
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


questions = [question(number, int(kind)) for number, kind in enumerate(TYPES, 1)]
sock = socket.socket(FAMILY, socket.SOCK_STREAM if HOW.startswith("tcp") else socket.SOCK_DGRAM)
sock.settimeout(10)
if HOW == "udp-sendto":
    for each in questions:
        sock.sendto(each, (ADDRESS, 53))
        print(len(sock.recvfrom(4096)[0]))
elif HOW == "udp-connected":
    sock.connect((ADDRESS, 53))
    for each in questions:
        sock.send(each)
        print(len(sock.recv(4096)))
elif HOW == "tcp":
    sock.connect((ADDRESS, 53))
    # All in one segment, as glibc asks for both kinds of address.
    sock.sendall(b"".join(struct.pack("!H", len(each)) + each for each in questions))
    for each in questions:
        length = struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))[0]
        print(len(sock.recv(length, socket.MSG_WAITALL)))
else:
    # The first question in two parts, which are two segments.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.connect((ADDRESS, 53))
    sock.send(struct.pack("!H", len(questions[0])))
    sock.send(questions[0])
    print(len(sock.recv(4096)))
