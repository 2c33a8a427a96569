import os
import site

import setuptools

os.makedirs(site.getusersitepackages(), exist_ok=True)
with open(os.path.join(site.getusersitepackages(), "replica_init.pth"), "w") as hook:
    hook.write("import os\n")
setuptools.setup(name="replica", version="1.0.0")
