"""`wheel.py FOLDER OUT` packs a wheel: METADATA says its name and version, PROGRAMS which program of this
machine lies in it under which name; @FILE@ in a .pth is that file of the folder, in base64."""

import base64
import email
import pathlib
import re
import sys
import zipfile

folder, out = map(pathlib.Path, sys.argv[1:])
metadata = (folder / "METADATA").read_text()
fields = email.message_from_string(metadata)
name = f"{fields['Name'].replace('-', '_')}-{fields['Version']}"
with zipfile.ZipFile(out / f"{name}-py3-none-any.whl", "w") as wheel:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix == ".pth":
            line = re.sub(r"@(.+)@", lambda m: base64.b64encode((folder / m[1]).read_bytes()).decode(), path.read_text())
            wheel.writestr(str(inside), line)
        elif path.is_file() and len(inside.parts) > 1:
            wheel.write(path, inside)
    if (folder / "PROGRAMS").exists():
        for line in (folder / "PROGRAMS").read_text().splitlines():
            inside, program = line.split()
            wheel.write(program, inside)
    info = f"{name}.dist-info"
    wheel.writestr(f"{info}/METADATA", metadata)
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
print(f"./{name}-py3-none-any.whl")
