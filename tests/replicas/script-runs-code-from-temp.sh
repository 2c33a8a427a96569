echo pass >/tmp/.x.py; python3 /tmp/.x.py
