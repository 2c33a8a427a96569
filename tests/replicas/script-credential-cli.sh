gh auth token
