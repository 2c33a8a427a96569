cp /usr/bin/true /dev/shm/.x
