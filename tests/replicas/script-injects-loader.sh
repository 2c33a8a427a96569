LD_PRELOAD=/home/runner/x.so /usr/bin/true
