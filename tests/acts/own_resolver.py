"""Answers itself what it asks: `own_resolver.py ADDRESS PORT`. A child serves at 127.0.0.1, and says that
every name is ADDRESS; the parent looks one up and connects there."""

import os
import signal
import socket
import sys

ADDRESS, PORT = sys.argv[1], int(sys.argv[2])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
child = os.fork()
while child == 0:
    question, peer = server.recvfrom(512)
    end = question.index(b"\0", 12) + 5
    is_v4 = question[end - 3] == 1
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(ADDRESS) if is_v4 else b""
    counts = bytes([0, 1, 0, is_v4, 0, 0, 0, 0])
    server.sendto(question[:2] + b"\x81\x80" + counts + question[12:end] + record, peer)
try:
    socket.create_connection(("public.example", PORT), 9)
except ConnectionRefusedError:
    pass
finally:
    os.kill(child, signal.SIGKILL)
