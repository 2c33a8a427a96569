#!/bin/sh
# Sets up, builds, and runs every check and test; its last line counts them. Safe to repeat.
set -eu
root=$(cd "$(dirname "$0")" && pwd)
"$root/xtask/bootstrap.sh" build selftest test
cd "$root"
exec cargo xtask test "$@"
