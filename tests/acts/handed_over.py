"""Sockets that one process makes and another uses: `handed_over.py ADDRESS`. The receiver connects one by TCP
to port 6000 and sends a datagram to 6001; one by UDP to 6002 was connected before it was handed over."""

import os
import socket
import sys

ADDRESS = sys.argv[1]
ours, theirs = socket.socketpair(socket.AF_UNIX)
child = os.fork()
if child:
    print("sender", os.getpid(), flush=True)
    print("receiver", child, flush=True)
    connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connected.connect((ADDRESS, 6002))
    made = [
        socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        connected,
    ]
    socket.send_fds(ours, [b"x"], [one.fileno() for one in made])
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stream, datagram, connected = (socket.socket(fileno=fd) for fd in socket.recv_fds(theirs, 1, 3)[1])
stream.connect_ex((ADDRESS, 6000))
datagram.sendto(b"x", (ADDRESS, 6001))
connected.send(b"x")
