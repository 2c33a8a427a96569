"""Creates the file named by the second argument in the folder named by the first, with openat2."""

import ctypes
import os
import struct
import sys

folder = os.open(sys.argv[1], os.O_PATH)
how = struct.pack("QQQ", os.O_CREAT | os.O_WRONLY, 0o600, 0)
fd = ctypes.CDLL(None, use_errno=True).syscall(437, folder, sys.argv[2].encode(), how, len(how))
sys.exit(0 if fd >= 0 else ctypes.get_errno())
