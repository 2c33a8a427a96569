//! What has to be on the machine: Debian packages, and tools of cargo's in a folder of our own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::workspace;

/// A program that cargo builds once, in exactly this version.
struct Tool {
    name: &'static str,
    version: &'static str,
    options: &'static [&'static str],
    /// How long it takes on two cores.
    takes: &'static str,
    /// What is missing if it does not build.
    needs: &'static str,
}

/// bpf-linker's own default asks for LLVM 23; rustc 1.96 is built with 22, and so is Debian's newest.
const LLVM: &str = "llvm-22";

const BPF_LINKER: Tool = Tool {
    name: "bpf-linker",
    version: "0.13.0",
    options: &["--no-default-features", "--features", LLVM],
    takes: "2 to 3 minutes",
    needs: "LLVM 22 with its headers (llvm-22-dev)",
};

/// Without its features it compresses with the system's xz.
const CARGO_DEB: Tool = Tool {
    name: "cargo-deb",
    version: "3.8.0",
    options: &["--no-default-features"],
    takes: "a minute",
    needs: "a C linker",
};

const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    options: &[],
    takes: "3 to 4 minutes",
    needs: "a C compiler",
};

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
    for tool in [&BPF_LINKER, &CARGO_DEB, &CARGO_DENY] {
        installed(sh, tool)?;
    }
    Ok(())
}

/// bpf-linker's path; builds it on the first call.
pub(crate) fn bpf_linker(sh: &Shell) -> anyhow::Result<PathBuf> {
    let prefix = Path::new("/usr/lib").join(LLVM);
    if prefix.exists() {
        sh.set_var("LLVM_PREFIX", prefix);
    }
    installed(sh, &BPF_LINKER)
}

/// cargo-deb's path; builds it on the first call.
pub(crate) fn cargo_deb(sh: &Shell) -> anyhow::Result<PathBuf> {
    installed(sh, &CARGO_DEB)
}

/// cargo-deny's path; builds it on the first call.
pub(crate) fn cargo_deny(sh: &Shell) -> anyhow::Result<PathBuf> {
    installed(sh, &CARGO_DENY)
}

fn installed(sh: &Shell, tool: &Tool) -> anyhow::Result<PathBuf> {
    let Tool { name, version, .. } = tool;
    let tools = workspace::cache()?.join("tools");
    let program = tools.join("bin").join(name);
    if program.exists() && recorded(sh, &tools, tool) {
        return Ok(program);
    }
    eprintln!(
        "setup: building {name} {version} into {} (once, {} on 2 cores)",
        tools.display(),
        tool.takes
    );
    let options = tool.options;
    cmd!(
        sh,
        "cargo install {name} --version {version} --locked {options...} --root {tools}"
    )
    .run()
    .with_context(|| format!("{name} did not build: is there {}?", tool.needs))?;
    Ok(program)
}

/// Whether cargo's own record of the tools folder names the version that is wanted.
fn recorded(sh: &Shell, tools: &Path, tool: &Tool) -> bool {
    let entry = format!("\"{} {} ", tool.name, tool.version);
    sh.read_file(tools.join(".crates.toml"))
        .is_ok_and(|record| record.contains(&entry))
}
