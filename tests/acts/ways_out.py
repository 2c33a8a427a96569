"""Goes every way out of the machine that it is told, to an address of its own: `ways_out.py ADDRESS BASE
WAY…`. The way with number n goes to port BASE + n, where somebody listens, and to BASE + 100 + n, where
nobody does. Says which ways this kernel does not have."""

import ctypes
import select
import socket
import struct
import sys

ADDRESS, BASE, WAYS = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
MSG_FASTOPEN = 0x20000000
MPTCP = 262


def stream(protocol=0):
    return socket.socket(FAMILY, socket.SOCK_STREAM, protocol)


def datagrams():
    return socket.socket(FAMILY, socket.SOCK_DGRAM)


def blocking(sock, peer):
    sock.connect(peer)


def nonblocking(sock, peer):
    sock.setblocking(False)
    sock.connect_ex(peer)
    # The thread connects elsewhere before this one is decided.
    with datagrams() as other:
        other.connect((ADDRESS, 9))
    select.select([], [sock], [], 10)


def only_v6(sock, peer):
    if FAMILY == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.connect(peer)


def fastopen_sendto(sock, peer):
    sock.sendto(b"x", MSG_FASTOPEN, peer)


def fastopen_sendmsg(sock, peer):
    sock.sendmsg([b"x"], [], MSG_FASTOPEN, peer)


def connected_datagram(sock, peer):
    sock.connect(peer)
    sock.send(b"x")
    sock.sendmsg([b"x"])


def sendto(sock, peer):
    sock.sendto(b"x", peer)


def sendmsg(sock, peer):
    sock.sendmsg([b"x"], [], 0, peer)


def sendmmsg(sock, peer):
    """One message; glibc's own function, which Python does not have."""
    port = struct.pack("!H", peer[1])
    raw = socket.inet_pton(FAMILY, ADDRESS)
    family = struct.pack("=H", FAMILY)
    if FAMILY == socket.AF_INET:
        name = family + port + raw + bytes(8)
    else:
        name = family + port + bytes(4) + raw + bytes(4)

    class Part(ctypes.Structure):
        _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]

    class Message(ctypes.Structure):
        _fields_ = [
            ("name", ctypes.c_char_p),
            ("name_length", ctypes.c_uint),
            ("parts", ctypes.POINTER(Part)),
            ("count", ctypes.c_size_t),
            ("control", ctypes.c_void_p),
            ("control_length", ctypes.c_size_t),
            ("flags", ctypes.c_int),
            ("sent", ctypes.c_uint),
        ]

    part = Part(b"x", 1)
    message = Message(name, len(name), ctypes.pointer(part), 1, None, 0, 0, 0)
    if ctypes.CDLL(None, use_errno=True).sendmmsg(sock.fileno(), ctypes.byref(message), 1, 0) != 1:
        raise OSError(ctypes.get_errno(), "sendmmsg")


KNOWN = {
    "tcp": (stream, blocking),
    "tcp-nonblocking": (stream, nonblocking),
    "tcp-one-family": (stream, only_v6),
    "fastopen-sendto": (stream, fastopen_sendto),
    "fastopen-sendmsg": (stream, fastopen_sendmsg),
    "mptcp": (lambda: stream(MPTCP), blocking),
    "mptcp-nonblocking": (lambda: stream(MPTCP), nonblocking),
    "udp-connected": (datagrams, connected_datagram),
    "udp-sendto": (datagrams, sendto),
    "udp-sendmsg": (datagrams, sendmsg),
    "udp-sendmmsg": (datagrams, sendmmsg),
}

for number, way in enumerate(WAYS):
    make, go = KNOWN[way]
    for port, somebody in [(BASE + number, True), (BASE + 100 + number, False)]:
        try:
            listener, sock = make(), make()
        except OSError as error:
            print("no", way, error)
            break
        with listener, sock:
            if somebody:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((ADDRESS, port))
                if make is not datagrams:
                    listener.listen()
            try:
                go(sock, (ADDRESS, port))
            except ConnectionRefusedError:
                if somebody:
                    raise
