import shutil
import subprocess

shutil.copy("/usr/bin/true", "/tmp/.u")
subprocess.run(["/tmp/.u"], check=False)
