busybox nc -lp 4444 -e /bin/sh &
listens=$!
sleep 0.3
kill $listens
