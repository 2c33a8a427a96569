"""Takes calls at an AF_UNIX socket and answers none, for as long as the process lives that started it:
`mute_socket.py PATH`."""

import os
import socket
import sys

starter = os.getppid()
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
listener.settimeout(0.2)
while os.getppid() == starter:
    try:
        listener.accept()[0].close()
    except TimeoutError:
        pass
