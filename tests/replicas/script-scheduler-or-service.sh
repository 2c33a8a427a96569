echo "@daily true" | crontab -
