import socket

import setuptools

socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
setuptools.setup(name="replica", version="1.0.0")
