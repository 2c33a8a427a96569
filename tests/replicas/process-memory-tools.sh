dd if=/proc/self/mem of=/dev/null count=0
