#!/bin/sh
# stage.sh SCRATCH PKGWARDEN CMD… runs CMD as on a runner's machine, in mount and network namespaces of the
# caller: home and project at the usual places, temporary folders that are empty, a resolver where the
# replicas' server answers. Nothing here reaches the machine.
set -eu
scratch=$1 pkgwarden=$2
shift 2
# The checkout may lie in /home.
touch "$scratch/out/pkgwarden"
mount --bind "$pkgwarden" "$scratch/out/pkgwarden"
mount -t tmpfs tmpfs /home
mkdir /home/runner
mount --bind "$scratch/home" /home/runner
mkdir -p /home/runner/app
mount --bind "$scratch/project" /home/runner/app
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for name in resolv.conf hosts nsswitch.conf; do
    mount --bind "$scratch/etc/$name" /etc/$name
done
# Of this machine's python what builds need, and nothing that its owner added.
site=/usr/lib/python3/dist-packages
mkdir -p "$scratch/etc/site"
mount --bind $site "$scratch/etc/site"
for folder in $site /usr/local/lib/python3*/dist-packages; do
    [ ! -d "$folder" ] || mount -t tmpfs -o mode=755 tmpfs "$folder"
done
for part in "$scratch"/etc/site/setuptools* "$scratch"/etc/site/wheel* "$scratch"/etc/site/pkg_resources \
    "$scratch"/etc/site/_distutils_hack "$scratch"/etc/site/distutils-precedence.pth; do
    [ ! -e "$part" ] || cp -r "$part" $site/
done
umount "$scratch/etc/site"
cd /home/runner/app
exec "$@"
