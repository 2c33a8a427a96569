//! Packages from Debian's archive that are used without being installed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::unistd::geteuid;
use xshell::{Shell, cmd};

/// Brings the package lists up to date.
pub(super) fn update(sh: &Shell) -> anyhow::Result<()> {
    eprintln!("vm: the package lists are missing or old: apt-get update");
    let sudo: &[&str] = if geteuid().is_root() {
        &[]
    } else {
        &["sudo", "-n"]
    };
    Ok(cmd!(sh, "env {sudo...} apt-get update -q").run()?)
}

/// Downloads packages, each as `NAME=VERSION`, into an empty folder and returns the files.
pub(super) fn download(
    sh: &Shell,
    folder: &Path,
    packages: &[String],
) -> anyhow::Result<Vec<PathBuf>> {
    sh.remove_path(folder)?;
    sh.create_dir(folder)?;
    let _folder = sh.push_dir(folder);
    // As root, apt would drop to a user who may not write into root's cache, and warn.
    cmd!(
        sh,
        "apt-get download -q -o APT::Sandbox::User=root {packages...}"
    )
    .run()
    .context("apt-get downloaded nothing")?;
    Ok(sh.read_dir(folder)?)
}
