//! A whole Debian to boot: systemd, npm and pip, made by mmdebstrap from Debian's archive and kept in
//! the cache as an initramfs, which needs neither a disk nor a driver for one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::workspace;

const SUITE: &str = "bookworm";

/// passwd and util-linux, which the checks need too, are in every Debian.
const PACKAGES: &str = "systemd,systemd-sysv,nodejs,npm,python3-pip,python3-venv,procps,kmod";

/// A third of the size, which nothing here reads; and a root that is thrown away when its making
/// fails need not be synced to the disk file by file.
const DPKG: [&str; 4] = [
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
];

/// Ends what mmdebstrap does in the new root, `$1`. What was left out above is for the packages of
/// the root only: the one under test is to be installed whole, and its service to be started, which
/// mmdebstrap forbids until after this step.
const LAST_STEP: &str = r#"
set -e
cd "$1"
rm -rf var/cache/apt/* var/lib/apt/lists/* var/cache/debconf/*-old etc/dpkg/dpkg.cfg.d/99mmdebstrap
rm -f usr/sbin/policy-rc.d
mv sbin/start-stop-daemon.REAL sbin/start-stop-daemon
: > etc/machine-id
echo guest > etc/hostname
find . -xdev | cpio --create --format=newc --quiet > "$PKGWARDEN_ROOT_IMAGE"
"#;

/// The image's path; makes it if the cache has none of this recipe.
pub(super) fn image(sh: &Shell) -> anyhow::Result<PathBuf> {
    let mut recipe = DefaultHasher::new();
    (SUITE, PACKAGES, DPKG, LAST_STEP).hash(&mut recipe);
    let folder = workspace::cache()?.join("vm");
    sh.create_dir(&folder)?;
    let image = folder.join(format!("debian-{:016x}.cpio", recipe.finish()));
    if image.exists() {
        return Ok(image);
    }
    eprintln!(
        "vm: making a Debian into {} (once, 2 to 3 minutes)",
        image.display()
    );
    let part = image.with_extension("part");
    sh.write_file(&part, "")?;
    let options = DPKG.map(|option| format!("--dpkgopt={option}"));
    cmd!(
        sh,
        "mmdebstrap --variant=minbase --format=null --include={PACKAGES} {options...}
            --customize-hook={LAST_STEP} {SUITE} -"
    )
    .env("PKGWARDEN_ROOT_IMAGE", &part)
    .quiet()
    .run()
    .context("mmdebstrap made no Debian")?;
    std::fs::rename(&part, &image)?;
    Ok(image)
}
