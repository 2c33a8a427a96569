import pathlib

# A library that lies beside this one.
other = pathlib.Path(__file__).parent.parent / "pieces" / "__init__.py"
with other.open("a") as file:
    file.write("# and more\n")
