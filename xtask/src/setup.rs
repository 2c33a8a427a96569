//! What has to be on the machine: Debian packages, and bpf-linker in a folder of our own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::workspace;

const LINKER_VERSION: &str = "0.13.0";
/// bpf-linker's own default asks for LLVM 23; rustc 1.96 is built with 22, and so is Debian's newest.
const LLVM: &str = "llvm-22";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also what `cargo xtask bench` compares with.
    #[arg(long)]
    bench: bool,
}

pub(crate) fn run(sh: &Shell, arguments: &Arguments) -> anyhow::Result<()> {
    everything(sh)?;
    if arguments.bench {
        let bootstrap = workspace::root().join("xtask/bootstrap.sh");
        cmd!(sh, "{bootstrap} bench").quiet().run()?;
    }
    Ok(())
}

/// Installs all that building and testing need.
pub(crate) fn everything(sh: &Shell) -> anyhow::Result<()> {
    let bootstrap = workspace::root().join("xtask/bootstrap.sh");
    cmd!(sh, "{bootstrap} build selftest test").quiet().run()?;
    bpf_linker(sh).map(drop)
}

/// bpf-linker's path; builds it on the first call, which takes a few minutes.
pub(crate) fn bpf_linker(sh: &Shell) -> anyhow::Result<PathBuf> {
    let tools = workspace::cache()?.join("tools");
    let linker = tools.join("bin/bpf-linker");
    if linker.exists() && recorded_version(sh, &tools) {
        return Ok(linker);
    }
    eprintln!(
        "setup: building bpf-linker {LINKER_VERSION} into {} (once, 2 to 3 minutes on 2 cores)",
        tools.display()
    );
    let prefix = Path::new("/usr/lib").join(LLVM);
    if prefix.exists() {
        sh.set_var("LLVM_PREFIX", prefix);
    }
    cmd!(
        sh,
        "cargo install bpf-linker --version {LINKER_VERSION} --locked --no-default-features
            --features {LLVM} --root {tools}"
    )
    .run()
    .context("bpf-linker did not build: is LLVM 22 here, with its headers (llvm-22-dev)?")?;
    Ok(linker)
}

/// Whether cargo's own record of the tools folder names the version that is wanted.
fn recorded_version(sh: &Shell, tools: &Path) -> bool {
    sh.read_file(tools.join(".crates.toml"))
        .is_ok_and(|record| record.contains(&format!("\"bpf-linker {LINKER_VERSION} ")))
}
