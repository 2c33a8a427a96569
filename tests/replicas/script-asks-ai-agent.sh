# s1ngularity had the user's agent look for files of worth.
claude -p 'list files named wallet'
