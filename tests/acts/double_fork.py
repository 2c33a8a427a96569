"""The double fork of a daemon: the worker's parent and grandparent are gone when it acts."""

import os
import sys
import time

if os.fork():
    os.wait()
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.chdir("/")
while os.getppid() == os.getpid():
    time.sleep(0.01)
time.sleep(0.3)
os.execve("/bin/sh", ["sh", "-c", "id > /dev/null; : " + sys.argv[1]], {})
