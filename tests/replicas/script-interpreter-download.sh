/usr/bin/python3 -c 'import urllib.request as u; u.urlopen("http://45.33.32.156/x")'
