mkdir -p /etc/init.d && echo true >/etc/init.d/x
