cat /proc/$$/environ
