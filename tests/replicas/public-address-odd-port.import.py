import socket

socket.socket().connect_ex(("45.33.32.156", 8444))
