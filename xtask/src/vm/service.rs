//! The big guest: a Debian under its own systemd, in which the package is installed, its daemon
//! watches real installs, and the package is upgraded and removed again (`xtask/vm/service`).

mod judge;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use xshell::Shell;

use super::archive::Archive;
use super::boot::{self, Guest};
use super::kernel::Line;
use super::root;
use super::verdict::Verdict;
use crate::package::{self, Compression};
use crate::workspace;

/// Debian's versions: the second must be newer.
const VERSIONS: [&str; 2] = ["0.0.1-1", "0.0.2-1"];

/// The checks start when everything else has. A login on the console would wait 90 seconds for a
/// device that only udev, which is not there, could announce.
const APPEND: &str = "rdinit=/lib/systemd/systemd systemd.wants=checks.service \
                      systemd.mask=serial-getty@ttyS0.service \
                      systemd.show_status=false systemd.log_level=warning";

/// Installs pkgwarden on one kernel and judges what comes back.
pub(super) fn try_kernel(
    sh: &Shell,
    line: Line,
    kernel: &Path,
    pkgwarden: &Path,
) -> anyhow::Result<Verdict> {
    let initrd = initrd(sh, pkgwarden)?;
    let guest = Guest {
        line,
        name: &format!("{}-service", line.name()),
        kernel,
        initrd: &initrd,
        memory: "4G",
        append: APPEND,
        longest: Duration::from_secs(900),
    };
    let out = boot::boot(sh, &guest)?;
    fs::remove_file(&initrd)?;
    Ok(judge::judge(&out))
}

/// Debian's root and, laid over it as a second archive, what is tried.
fn initrd(sh: &Shell, pkgwarden: &Path) -> anyhow::Result<PathBuf> {
    let packages = boot::folder()?.join("packages");
    let mut overlay = Archive::default();
    overlay.device("/dev/console", 5, 1);
    for (name, version) in ["first", "second"].into_iter().zip(VERSIONS) {
        let package = package::build(sh, pkgwarden, version, &packages, Compression::Fast)?;
        overlay.text(&format!("/checks/{name}.deb"), &bytes(&package)?);
    }
    let scripts = workspace::root().join("xtask/vm/service");
    overlay.file("/checks/checks", &bytes(&scripts.join("checks"))?);
    overlay.text(
        "/etc/systemd/system/checks.service",
        &bytes(&scripts.join("checks.service"))?,
    );
    let fixtures = workspace::root().join("tests/fixtures");
    for fixture in ["npm/recon-postinstall", "pip/recon-setup-py"] {
        add(
            &mut overlay,
            &fixtures.join(fixture),
            "/checks/fixtures",
            fixture,
        )?;
    }
    let path = boot::folder()?.join("service.initrd");
    let mut file = File::create(&path).with_context(|| path.display().to_string())?;
    io::copy(&mut File::open(root::image(sh)?)?, &mut file)?;
    io::Write::write_all(&mut file, &overlay.finish())?;
    Ok(path)
}

/// A file or a folder with all that is in it.
fn add(archive: &mut Archive, from: &Path, to: &str, name: &str) -> anyhow::Result<()> {
    let to = format!("{to}/{name}");
    if !from.is_dir() {
        archive.text(&to, &bytes(from)?);
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        add(
            archive,
            &entry.path(),
            &to,
            &entry.file_name().to_string_lossy(),
        )?;
    }
    Ok(())
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} can't be read", path.display()))
}
