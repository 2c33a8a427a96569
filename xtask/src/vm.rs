//! Other kernels: boots Debian's 6.1 and 6.12 under QEMU and watches one small scenario on each.
//!
//! The guest is an initramfs of busybox, pkgwarden and two scripts (`xtask/vm`). It sends back what
//! it saw; the host judges. Emulation (TCG) is chosen, not fallen back to: KVM inside a VM can hang.

mod archive;
mod boot;
mod kernel;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use xshell::Shell;

use crate::test::Tally;
use crate::{build, workspace};
pub(crate) use kernel::Line;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Boot, watch one exec, connect, open and rename, and judge.
    #[arg(long, required = true)]
    smoke: bool,
    /// Only this kernel.
    #[arg(long, value_enum)]
    kernel: Option<Line>,
    /// The pkgwarden to try, instead of building one.
    #[arg(long, value_name = "FILE")]
    pkgwarden: Option<PathBuf>,
}

pub(crate) fn run(sh: &Shell, arguments: &Arguments) -> anyhow::Result<()> {
    let pkgwarden = match &arguments.pkgwarden {
        Some(file) => file.clone(),
        None => build::pkgwarden(sh)?,
    };
    let mut tally = Tally::default();
    for line in Line::ALL {
        if arguments.kernel.is_none_or(|only| only == line) {
            smoke(sh, line, &pkgwarden, &mut tally);
        }
    }
    if !tally.report(None) {
        bail!("not every kernel passed");
    }
    Ok(())
}

/// Every kernel, for `cargo xtask test`; what was built before is what is tried.
pub(crate) fn smoke_all(sh: &Shell, tally: &mut Tally) {
    let pkgwarden = workspace::root().join("target/release/pkgwarden");
    for line in Line::ALL {
        smoke(sh, line, &pkgwarden, tally);
    }
}

fn smoke(sh: &Shell, line: Line, pkgwarden: &Path, tally: &mut Tally) {
    let name = format!("kernel {}", line.name());
    if let Some(reason) = unavailable() {
        tally.skip(&name, reason);
        return;
    }
    tally.check(&name, || {
        let kernel = kernel::fetch(sh, line)?;
        let begun = Instant::now();
        let initramfs = boot::initramfs(sh, pkgwarden)?;
        let out = boot::boot(sh, line, &kernel, &initramfs)?;
        println!(
            "{name}: boot to power-off in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        let verdict = verdict::judge(&out);
        print!("{}", verdict.programs);
        if verdict.breaches.is_empty() {
            return Ok(());
        }
        bail!("{}", verdict.breaches.join("; "));
    });
}

/// Why no other kernel can be booted on this machine.
fn unavailable() -> Option<&'static str> {
    let on_path = |program: &str| {
        std::env::var_os("PATH").is_some_and(|path| {
            std::env::split_paths(&path).any(|folder| folder.join(program).exists())
        })
    };
    if !on_path("qemu-system-x86_64") {
        Some("qemu-system-x86_64 is not installed")
    } else if !on_path("apt-get") {
        Some("the kernels come from Debian's archive, and there is no apt-get here")
    } else {
        None
    }
}
