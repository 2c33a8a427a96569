echo true | bash -s
