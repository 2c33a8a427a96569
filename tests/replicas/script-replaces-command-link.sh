mkdir -p "$INIT_CWD/node_modules/.bin" && echo true >"$INIT_CWD/node_modules/.bin/eslint"
