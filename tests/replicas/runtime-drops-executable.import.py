"""A program among the settings of the user."""
import os
import shutil

folder = os.path.expanduser("~/.config/sysmon")
os.makedirs(folder)
shutil.copyfile("/bin/true", folder + "/m")
os.chmod(folder + "/m", 0o755)
