#!/bin/sh
# Installs one replica under watch. record.py starts it inside mount and network namespaces of its
# own, so that nothing here reaches the machine: the folders it writes to are empty tmpfs, /etc is an
# overlay, and the addresses it connects to are this machine's.
#
# stage.sh PKGWARDEN REPLICA CAPTURE ALERTS
set -eu
pkgwarden=$1 replica=$2 capture=$3 alerts=$4

ip link set lo up
for address in 45.33.32.156 10.0.0.7 169.254.169.254; do
    ip address add "$address/32" dev lo
done

for folder in /home /tmp /opt /dev/shm /run /var/spool /usr/local/sbin; do
    mount -t tmpfs -o mode=1777 tmpfs "$folder"
done
mkdir /run/upper /run/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work overlay /etc
echo 'runner:!:20000::::::' >/etc/shadow
rm -f /etc/resolv.conf /etc/hosts
echo 'nameserver 10.0.0.7' >/etc/resolv.conf
echo '127.0.0.1 localhost' >/etc/hosts
echo 'hosts: files dns' >/etc/nsswitch.conf
# Every name has the address of the world outside, where nobody listens; so npm must not look for news of
# itself, or that address would be its registry's.
(cd "$(dirname "$0")" && exec /usr/bin/python3 -B -c 'import dns_message
dns_message.serve("10.0.0.7", lambda name: "45.33.32.156")') &
# shellcheck disable=SC2064
trap "kill $!" EXIT
until grep -q ' 0700000A:0035 ' /proc/net/udp; do sleep 0.05; done
mkdir -p /var/spool/cron/crontabs /etc/cron.d /etc/sudoers.d

home=/home/runner project=/home/runner/app
mkdir -p $project/.git/hooks $project/.github/workflows /home/runner/package
cd $home
# What there is to be stolen is empty of worth.
for secret in .npmrc .netrc .env .aws/credentials .ssh/id_ed25519 .config/solana/id.json \
    .config/gh/hosts.yml .kube/config .docker/config.json .claude/.credentials.json .bash_history \
    .gnupg/private-keys-v1.d/0.key .local/share/keyrings/login.keyring .password-store/a.gpg \
    .mozilla/firefox/a.default/logins.json .config/discord/0 actions-runner/.credentials \
    '.config/google-chrome/Default/Login Data' '.config/discord/Local Storage/0.ldb'; do
    mkdir -p "$(dirname "$secret")"
    echo '# nothing' >"$secret"
done
# Another package, which a project and its python have beside the replica.
mkdir -p pieces $project/lib/site-packages/pieces
echo '{"name":"pieces","version":"1.0.0"}' >pieces/package.json
touch pieces/index.js $project/lib/site-packages/pieces/__init__.py
tar -czf pieces-1.0.0.tgz pieces
# Tools that need not be installed: the start of one is real, what it does is nothing.
mkdir -p /opt/tools/bin
for tool in bun claude crontab docker gh ngrok ss sudo trufflehog wget xmrig; do
    printf '#!/bin/sh\nexit 0\n' >/opt/tools/bin/$tool
    chmod 755 /opt/tools/bin/$tool
done

watch() {
    # A failing replica is no matter: what it tried is what is recorded.
    env -i HOME=$home USER=root LANG=C.UTF-8 npm_config_update_notifier=false PATH=/opt/tools/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin \
        "$pkgwarden" run --min-level informational --linger 0 --record "$capture" --alerts "$alerts" -- "$@" || true
}

case $replica in
*.import.js)
    # Read by a program that requires the package.
    mkdir -p $project/node_modules/replica
    echo '{"name":"replica","version":"1.0.0"}' >$project/node_modules/replica/package.json
    cp "$replica" $project/node_modules/replica/index.js
    echo 'require("replica")' >$project/main.js
    cd $project && watch node main.js
    ;;
*.import.py)
    site=$project/lib/site-packages
    mkdir -p $site/replica $site/replica-1.0.0.dist-info
    cp "$replica" $site/replica/__init__.py
    printf 'Metadata-Version: 2.1\nName: replica\nVersion: 1.0.0\n' >$site/replica-1.0.0.dist-info/METADATA
    printf 'import sys\nsys.path.insert(0, "%s")\nimport replica\n' $site >$project/main.py
    cd $project && watch /usr/bin/python3 main.py
    ;;
*.setup.py)
    # As a source distribution is: with a PKG-INFO.
    cp "$replica" package/setup.py
    printf 'Metadata-Version: 2.1\nName: replica\nVersion: 1.0.0\n' >package/PKG-INFO
    cd $project
    watch /usr/bin/python3 -m pip install --user --break-system-packages --no-index --no-build-isolation \
        --disable-pip-version-check ../package
    ;;
*.pth)
    # A wheel that carries it.
    /usr/bin/python3 - "$replica" <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile("replica-1.0.0-py3-none-any.whl", "w") as wheel:
    wheel.write(sys.argv[1], "replica_init.pth")
    info = "replica-1.0.0.dist-info"
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: replica\nVersion: 1.0.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
PYTHON
    cd $project
    watch /usr/bin/python3 -m pip install --user --break-system-packages --no-index \
        --disable-pip-version-check ../replica-1.0.0-py3-none-any.whl
    ;;
*.package.json)
    # Of a package that the project installs.
    cp "$replica" package/package.json
    tar -czf replica-1.0.0.tgz package
    echo '{"name":"app","version":"1.0.0"}' >$project/package.json
    cd $project
    watch npm install --no-audit --no-fund --fetch-retries=0 ../replica-1.0.0.tgz
    ;;
*.step.sh)
    # A step of a CI job: the child of a shell with a worker's name.
    mkdir -p actions-runner/bin
    cp /bin/bash actions-runner/bin/Runner.Worker
    cp "$replica" step.sh
    cd $project && watch $home/actions-runner/bin/Runner.Worker -c "bash $home/step.sh; :"
    ;;
*.js | *.sh)
    file=install.${replica##*.}
    runner=node
    [ "$file" = install.js ] || runner=sh
    cp "$replica" package/$file
    echo '{"name":"replica","version":"1.0.0","scripts":{"postinstall":"'$runner $file'"}}' >package/package.json
    tar -czf replica-1.0.0.tgz package
    echo '{"name":"app","version":"1.0.0","dependencies":{"pieces":"file:../pieces-1.0.0.tgz"}}' >$project/package.json
    cd $project
    watch npm install --offline --no-audit --no-fund ../replica-1.0.0.tgz
    ;;
esac
