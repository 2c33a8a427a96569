"""DNS messages (RFC 1035, 4.1), as far as the name servers of the tests need them."""

import socket
import struct

A, CNAME, AAAA = 1, 5, 28
# A pointer to the name in the question, which begins behind the header.
SAME_NAME = struct.pack("!H", 0xC000 | 12)


def asked(message):
    """The name in lower case, the type, and the question as it stands in the message."""
    end = message.index(b"\0", 12) + 5
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode(errors="replace").lower())
        at += 1 + length
    return ".".join(labels), struct.unpack("!H", message[end - 4 : end - 2])[0], message[12:end]


def record(kind, data, name=SAME_NAME):
    return name + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def reply(message, records, flags=0x8180):
    """The question again, and the records."""
    head = message[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
    return head + asked(message)[2] + b"".join(records)


def serve(address, address_of):
    """Answers questions for A at `address` with what `address_of` has for a name, all others with nothing."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    while True:
        message, peer = sock.recvfrom(4096)
        name, kind, _ = asked(message)
        records = [record(A, socket.inet_aton(address_of(name)))] if kind == A else []
        sock.sendto(reply(message, records), peer)
