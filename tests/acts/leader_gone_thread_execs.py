"""A thread runs another program after the thread that began the process has ended.

The leader ends by the raw exit call, so the process lives on; then the thread execs, which takes over
the process's number. A sensor that takes the leader's exit for the process's end loses it here.
"""

import ctypes
import os
import sys
import threading
import time


def later():
    time.sleep(0.3)
    os.execv("/bin/sh", ["sh", "-c", "id > /dev/null; : " + sys.argv[1]])


threading.Thread(target=later).start()
ctypes.CDLL(None).syscall(60, 0)  # exit, of this thread alone (x86-64)
