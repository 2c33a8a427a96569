touch setup_bun.js && rm -f setup_bun.js
