"""Connects to AF_UNIX sockets in a folder: `unix_ways.py FOLDER`. By several names, all of which lead to
FOLDER/real.sock; then to FOLDER/gram.sock, which takes datagrams, to one that is not there, and to an
abstract name that nobody has."""

import os
import socket
import sys

os.chdir(sys.argv[1])
listener = socket.socket(socket.AF_UNIX)
listener.bind("real.sock")
listener.listen(9)
os.symlink("real.sock", "innocent")
for name in ["real.sock", "innocent", "/proc/self/cwd/real.sock", os.path.abspath("real.sock")]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(name)
datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
datagrams.bind("gram.sock")
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
    sock.connect("./gram.sock")
for name in ["missing.sock", "\0pkgwarden-nobody"]:
    with socket.socket(socket.AF_UNIX) as sock:
        print(sock.connect_ex(name))
