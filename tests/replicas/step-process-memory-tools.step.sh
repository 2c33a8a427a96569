dd if=/proc/$$/mem of=/dev/null count=0
