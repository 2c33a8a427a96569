import os
import subprocess

with open("/tmp/.u", "w", encoding="ascii") as file:
    file.write("#!/bin/sh\n")
os.chmod("/tmp/.u", 0o700)
subprocess.run(["/tmp/.u"], check=False)
