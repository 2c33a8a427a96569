//! The emulator: the machine's own, otherwise Debian's, unpacked into the cache.
//!
//! It is not installed: its packages exclude those of another version's tools (`qemu-utils` from the
//! backports, say), and what tests need is no reason to take something away.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

use super::apt;
use crate::workspace;

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// How to start it.
pub(super) struct Qemu {
    /// Where it was unpacked; none if it is installed.
    unpacked: Option<PathBuf>,
}

impl Qemu {
    /// Finds it; downloads it where there is none.
    pub(super) fn find(sh: &Shell) -> anyhow::Result<Self> {
        let installed = Self { unpacked: None };
        if installed.starts() {
            return Ok(installed);
        }
        let cache = workspace::cache()?.join("vm");
        let cached = Self {
            unpacked: Some(cache.join("qemu")),
        };
        // A library that it found in the system may have gone since.
        if !cached.starts() {
            eprintln!(
                "vm: there is no {PROGRAM} here: unpacking Debian's into {} (once)",
                cache.display()
            );
            if unpack(sh, &cache).is_err() {
                apt::update(sh)?;
                unpack(sh, &cache)?;
            }
            ensure!(
                cached.starts(),
                "{PROGRAM} of Debian's {PACKAGE}, in {}, does not start",
                cache.display()
            );
        }
        Ok(cached)
    }

    /// The program with where its libraries and firmware are.
    pub(super) fn command(&self) -> Command {
        let Some(root) = &self.unpacked else {
            return Command::new(PROGRAM);
        };
        let mut command = Command::new(root.join("usr/bin").join(PROGRAM));
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
        let libraries = libraries.map(|folder| root.join(folder));
        let [first, second] = libraries.map(|folder| folder.display().to_string());
        command.env("LD_LIBRARY_PATH", format!("{first}:{second}"));
        for firmware in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(root.join(firmware));
        }
        command
    }

    fn starts(&self) -> bool {
        let status = self
            .command()
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }
}

/// Puts it and what it needs that is not installed into `cache/qemu`.
fn unpack(sh: &Shell, cache: &Path) -> anyhow::Result<()> {
    let plan = cmd!(
        sh,
        "apt-get install --simulate --no-install-recommends {PACKAGE}"
    )
    .quiet()
    .ignore_stderr()
    .read()
    .with_context(|| format!("apt has no {PACKAGE}"))?;
    let packages = to_install(&plan);
    ensure!(
        !packages.is_empty(),
        "apt has nothing to install for {PACKAGE}"
    );
    let work = cache.join("qemu.part");
    let archives = apt::download(sh, &work.join("archives"), &packages)?;
    let root = work.join("root");
    for archive in archives {
        cmd!(sh, "dpkg-deb --extract {archive} {root}")
            .quiet()
            .run()?;
    }
    let place = cache.join("qemu");
    sh.remove_path(&place)?;
    std::fs::rename(&root, &place)?;
    sh.remove_path(&work)?;
    Ok(())
}

/// `Inst seabios (1.16.2-1 Debian:12.15/oldstable [all])`; of an upgrade, with what is installed in
/// brackets before that.
fn to_install(plan: &str) -> Vec<String> {
    let lines = plan.lines().filter_map(|line| line.strip_prefix("Inst "));
    lines
        .filter_map(|line| {
            let name = line.split(' ').next()?;
            let version = line.split_once(" (")?.1.split(' ').next()?;
            Some(format!("{name}={version}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::to_install;

    #[test]
    fn what_is_to_install_is_named_with_its_version_and_removals_are_not() {
        let plan = "Reading package lists...\n\
                    Remv qemu-utils [1:10.0.2]\n\
                    Inst seabios (1.16.2-1 Debian:12.15/oldstable [all])\n\
                    Inst libfdt1 [1.6.0-1] (1.6.1-4+b1 Debian:12.15/oldstable [amd64])\n\
                    Conf seabios (1.16.2-1 Debian:12.15/oldstable [all])\n";
        assert_eq!(to_install(plan), ["seabios=1.16.2-1", "libfdt1=1.6.1-4+b1"]);
    }
}
