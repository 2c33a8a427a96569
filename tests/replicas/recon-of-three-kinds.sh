id -un
ss -tn
uname -a
