#!/bin/sh
# Sets up, builds, and runs: ./run.sh CMD... watches that command; ./run.sh alone runs the five
# seed tests under watch and shows the alerts. Safe to repeat.
set -eu
root=$(cd "$(dirname "$0")" && pwd)

if [ $# -eq 0 ]; then groups="build selftest"; else groups="build"; fi
# shellcheck disable=SC2086 # one word a group
"$root/xtask/bootstrap.sh" $groups
(cd "$root" && cargo xtask build) >&2

# Loading eBPF programs needs root. pkgwarden asks sudo without a prompt; the prompt comes here.
if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
    echo "run.sh: eBPF programs are loaded as root; sudo asks for your password" >&2
    sudo -v
fi

if [ $# -eq 0 ]; then exec "$root/target/release/pkgwarden" selftest; fi
exec "$root/target/release/pkgwarden" run -- "$@"
