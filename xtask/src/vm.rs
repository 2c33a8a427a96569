//! Other kernels: boots Debian's 6.1 and 6.12 under QEMU.
//!
//! Two guests: a small one that watches one scenario (`smoke`), and a whole Debian in which the
//! package is installed and the daemon does its work under the real systemd (`service`). A guest
//! sends back what it saw; the host judges. Emulation (TCG) is chosen, not fallen back to: KVM inside
//! a VM can hang.

mod apt;
mod archive;
mod boot;
mod kernel;
mod qemu;
mod root;
mod service;
mod smoke;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use xshell::Shell;

use crate::test::Tally;
use crate::{build, workspace};
pub(crate) use kernel::Line;
use verdict::Verdict;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only boot, watch one exec, connect, open, rename and removal, and judge.
    #[arg(long, conflicts_with = "service")]
    smoke: bool,
    /// Only install the package in a Debian, and judge what its daemon does.
    #[arg(long)]
    service: bool,
    /// Only this kernel.
    #[arg(long, value_enum)]
    kernel: Option<Line>,
    /// The pkgwarden to try, instead of building one.
    #[arg(long, value_name = "FILE")]
    pkgwarden: Option<PathBuf>,
}

/// What is tried on a kernel.
#[derive(Clone, Copy)]
enum Trial {
    Smoke,
    Service,
}

impl Trial {
    const ALL: [Trial; 2] = [Trial::Smoke, Trial::Service];

    fn name(self, line: Line) -> String {
        let line = line.name();
        match self {
            Trial::Smoke => format!("kernel {line}"),
            Trial::Service => format!("kernel {line}, package and daemon"),
        }
    }

    fn perform(
        self,
        sh: &Shell,
        line: Line,
        kernel: &Path,
        pkgwarden: &Path,
    ) -> anyhow::Result<Verdict> {
        match self {
            Trial::Smoke => smoke::try_kernel(sh, line, kernel, pkgwarden),
            Trial::Service => service::try_kernel(sh, line, kernel, pkgwarden),
        }
    }
}

pub(crate) fn run(sh: &Shell, arguments: &Arguments) -> anyhow::Result<()> {
    let pkgwarden = match &arguments.pkgwarden {
        Some(file) => file.clone(),
        None => build::pkgwarden(sh)?,
    };
    let mut tally = Tally::default();
    for trial in Trial::ALL {
        let wanted = match trial {
            Trial::Smoke => !arguments.service,
            Trial::Service => !arguments.smoke,
        };
        let lines = Line::ALL
            .into_iter()
            .filter(|line| arguments.kernel.is_none_or(|only| only == *line));
        for line in lines.filter(|_| wanted) {
            attempt(sh, trial, line, &pkgwarden, &mut tally);
        }
    }
    if !tally.report(None) {
        bail!("not every kernel passed");
    }
    Ok(())
}

/// Every kernel, for `cargo xtask test`; what was built before is what is tried.
pub(crate) fn all(sh: &Shell, tally: &mut Tally) {
    let pkgwarden = workspace::root().join("target/release/pkgwarden");
    for trial in Trial::ALL {
        for line in Line::ALL {
            attempt(sh, trial, line, &pkgwarden, tally);
        }
    }
}

fn attempt(sh: &Shell, trial: Trial, line: Line, pkgwarden: &Path, tally: &mut Tally) {
    let name = trial.name(line);
    if let Some(reason) = unavailable() {
        tally.skip(&name, reason);
        return;
    }
    tally.check(&name, || {
        let kernel = kernel::fetch(sh, line)?;
        let begun = Instant::now();
        let verdict = trial.perform(sh, line, &kernel, pkgwarden)?;
        println!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
        print!("{}", verdict.shown);
        if verdict.breaches.is_empty() {
            return Ok(());
        }
        bail!("{}", verdict.breaches.join("; "));
    });
}

/// Why no other kernel can be booted on this machine.
fn unavailable() -> Option<&'static str> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).any(|folder| folder.join("apt-get").exists());
    (!found).then_some("the kernels come from Debian's archive, and there is no apt-get here")
}
