# The pipe stands in a file: no command line shows it.
echo dHJ1ZQ== | base64 -d | sh
