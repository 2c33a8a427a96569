touch /tmp/x && chmod 4755 /tmp/x
