"""Keeps as many processes alive at once as its first argument says, then the last one acts."""

import os
import subprocess
import sys
import time

children = [os.fork()]
while children[-1] and len(children) < int(sys.argv[1]):
    children.append(os.fork())
if not children[-1]:
    time.sleep(30)
    os._exit(0)
try:
    subprocess.run(["/bin/sh", "-c", "id > /dev/null; : " + sys.argv[2]], check=True)
finally:
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
