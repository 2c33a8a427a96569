"""Creates, or with `remove` before it takes away, the file named by its last argument through io_uring:
neither of the system calls is made.

Exits with 77 where the kernel refuses io_uring.
"""

import ctypes
import errno
import mmap
import os
import struct
import sys

SETUP, ENTER = 425, 426
OPENAT, UNLINKAT, AT_FDCWD, GETEVENTS = 18, 36, -100, 1

libc = ctypes.CDLL(None, use_errno=True)
params = ctypes.create_string_buffer(120)
ring = libc.syscall(SETUP, 4, params)
if ring < 0:
    print("io_uring_setup:", errno.errorcode[ctypes.get_errno()], file=sys.stderr)
    sys.exit(77)

# struct io_uring_params: 10 words, then the offsets of the submission and completion rings.
sq_entries = struct.unpack_from("I", params, 0)[0]
sq_tail, sq_mask, sq_array = (struct.unpack_from("I", params, 40 + at)[0] for at in (4, 8, 24))
cq_entries = struct.unpack_from("I", params, 4)[0]
cq_cqes = struct.unpack_from("I", params, 80 + 20)[0]
size = max(sq_array + 4 * sq_entries, cq_cqes + 16 * cq_entries)
rings = mmap.mmap(ring, size, offset=0)
entries = mmap.mmap(ring, 64 * sq_entries, offset=0x10000000)

path = ctypes.create_string_buffer(os.fsencode(sys.argv[-1]))
opcode, mode, flags = OPENAT, 0o600, os.O_CREAT | os.O_WRONLY
if sys.argv[1] == "remove":
    opcode, mode, flags = UNLINKAT, 0, 0
struct.pack_into("BBHiQQIIQ", entries, 0, opcode, 0, 0, AT_FDCWD, 0, ctypes.addressof(path), mode, flags, 1)
struct.pack_into("I", rings, sq_array, 0)
struct.pack_into("I", rings, sq_tail, 1)
done = libc.syscall(ENTER, ring, 1, 1, GETEVENTS, None, 0)
result = struct.unpack_from("i", rings, cq_cqes + 8)[0]
if done != 1 or result < 0:
    print("io_uring:", done, result, file=sys.stderr)
    sys.exit(1)
