#!/bin/sh
# Installs what pkgwarden is built and tested with. It says what and why first, and does nothing,
# without asking the package manager, when all of it is there.
#
# usage: xtask/bootstrap.sh GROUP...     (a group of xtask/packages: build selftest test bench)
#
# A shell script, because there may be no cargo yet. Afterwards `cargo xtask` does the rest.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Rust 1.96, and a core library for eBPF: prebuilt (Debian's), or as source (a rustup nightly).
have_rust() {
    version=$(rustc --version 2>/dev/null) || return 1
    version=${version#rustc 1.}
    [ "${version%%.*}" -ge 96 ] 2>/dev/null || return 1
    cargo --version >/dev/null 2>&1 || return 1
    [ -d "$(rustc --print sysroot)/lib/rustlib/bpfel-unknown-none" ] && return 0
    nightly=$(rustup run nightly rustc --print sysroot 2>/dev/null) || return 1
    [ -d "$nightly/lib/rustlib/src/rust/library/core" ]
}

is_debian_12() {
    grep -qx 'ID=debian' /etc/os-release && grep -qx 'VERSION_ID="12"' /etc/os-release
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "installing packages needs root: run this again as root, or install sudo"
    fi
}

# missing GROUP...: lines "package why" for what is not there.
missing() {
    # "ii NAME" for each package that is installed, between spaces.
    installed=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' | tr -s ' ')"
    while read -r group package unless why; do
        case " $* " in *" $group "*) ;; *) continue ;; esac
        case "$installed" in *" ii $package "*) continue ;; esac
        # A command on PATH, or a file.
        { command -v "$unless" || [ -e "$unless" ]; } >/dev/null && continue
        printf '%s %s\n' "$package" "$why"
    done < xtask/packages
}

install_packages() {
    packages=$(printf '%s\n' "$1" | cut -d' ' -f1 | tr '\n' ' ')
    say "to install with apt-get, from this machine's Debian sources:"
    printf '%s\n' "$1" | while read -r package why; do
        printf '         %-24s %s\n' "$package" "$why" >&2
    done
    as_root apt-get update -q >&2
    # shellcheck disable=SC2086 # one word a package
    removed=$(apt-get install -s --no-install-recommends $packages | sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ')
    [ -z "$removed" ] || die "this would remove: $removed- if that is all right, run" \
        "'apt-get remove $removed' as root and then this script again"
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends --no-remove $packages >&2
}

# rustup's cargo comes before Debian's on PATH: let it use Debian's Rust here, and only here.
select_toolchain() {
    command -v rustup >/dev/null || return 0
    say "rustup is here: making Debian's Rust its toolchain 'debian-web', for $root only"
    rustup toolchain link debian-web /usr
    rustup override set debian-web >&2
}

elsewhere() {
    say "this is not Debian 12: please install these yourself, then run this script again:"
    cat >&2 <<'END'
         Rust 1.96 or newer (rustup: stable, with clippy and rustfmt)
         a nightly Rust as rustup's 'nightly' toolchain, with the component rust-src
         LLVM 22 with its headers, and a C++ compiler
         node and npm; python3 with venv, pip, setuptools and wheel
         for the tests: iproute2, bpftool, systemd, qemu-system-x86_64, a static busybox
END
}

# The judges of the rules (sensor-user/tests/judges): a Python environment in exactly these versions,
# and folders of repositories at exactly one commit each. Where they can't be had from here, this says
# so and goes on: their tests then say that they were skipped, and why.
install_judges() {
    tools=${XDG_CACHE_HOME:-$HOME/.cache}/pkgwarden/tools
    mkdir -p "$tools"
    versions=$(sha256sum < xtask/judges/requirements.txt)
    if [ "$(cat "$tools/sigma/installed" 2>/dev/null)" != "$versions" ]; then
        say "installing sigma-cli and pySigma into $tools/sigma (once)"
        rm -rf "$tools/sigma"
        # Wheels only: no package's own code runs at the install.
        if python3 -m venv "$tools/sigma" && "$tools/sigma/bin/pip" install --quiet \
            --disable-pip-version-check --retries 1 --require-hashes --only-binary :all: \
            -r xtask/judges/requirements.txt; then
            printf '%s\n' "$versions" > "$tools/sigma/installed"
        else
            say "these can't be installed from here: sigma check and pySigma will not judge the rules"
        fi
    fi
    while read -r name commit address folder; do
        case $name in '#' | '') continue ;; esac
        judges_files "$name" "$commit" "$address" "$folder"
    done < xtask/judges/repositories
}

judges_files() { # NAME COMMIT ADDRESS FOLDER
    [ ! -d "$tools/sigma-$1-$2" ] || return 0
    say "fetching $4 of $3 into $tools (once)"
    rm -rf "$tools/fetching" && git init -q --bare "$tools/fetching"
    if GIT_TERMINAL_PROMPT=0 timeout 120 git -C "$tools/fetching" fetch -q --depth 1 \
        "$3" "$2" < /dev/null \
        && mkdir "$tools/fetching/out" \
        && git -C "$tools/fetching" archive "$2" "$4" | tar -x -C "$tools/fetching/out"; then
        rm -rf "$tools/sigma-$1"-* && mv "$tools/fetching/out" "$tools/sigma-$1-$2"
    else
        say "it can't be fetched from here: the tests that need it will be skipped"
    fi
    rm -rf "$tools/fetching"
}

[ "$(uname -sm)" = "Linux x86_64" ] || die "pkgwarden is built and tested on x86-64 Linux only"

if is_debian_12; then
    if have_rust; then wanted=$(missing "$@"); else wanted=$(missing rust "$@"); fi
    [ -z "$wanted" ] || install_packages "$wanted"
    have_rust || select_toolchain
    have_rust || die "still no Rust 1.96 with eBPF support: 'rustc --version' in this folder says" \
        "'$(rustc --version 2>&1 | head -n 1)'. Debian's is in its security updates" \
        "(bookworm-security main): is that among this machine's apt sources?"
elif ! have_rust; then
    elsewhere
    exit 1
fi

case " $* " in *" test "*) install_judges ;; esac

# The first time this takes half a minute, and `cargo xtask` itself would be silent.
[ -x target/debug/xtask ] || cargo build --package xtask >&2
