sh -c 'rm -rf "/home/nobody-here/"'
