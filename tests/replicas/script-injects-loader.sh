echo 'process.title = "replica"' >loader.js
NODE_OPTIONS="--require $PWD/loader.js" node -e 0
