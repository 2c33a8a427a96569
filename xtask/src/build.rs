//! The two builds: the eBPF object, then pkgwarden with the object in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xshell::{Cmd, Shell, cmd};

use crate::{setup, workspace};

const TARGET: &str = "bpfel-unknown-none";

/// Where sensor-user's build script looks for the object to embed.
const OBJECT_VARIABLE: &str = "PKGWARDEN_BPF_OBJECT";

/// Builds `target/release/pkgwarden`: one file, everything in it.
pub(crate) fn pkgwarden(sh: &Shell) -> anyhow::Result<PathBuf> {
    let object = probes(sh)?;
    let _root = sh.push_dir(workspace::root());
    cmd!(sh, "cargo build --release --package sensor-user")
        .env(OBJECT_VARIABLE, &object)
        .quiet()
        .run()?;
    Ok(workspace::root().join("target/release/pkgwarden"))
}

/// Builds the eBPF programs into one object.
pub(crate) fn probes(sh: &Shell) -> anyhow::Result<PathBuf> {
    let _root = sh.push_dir(workspace::root());
    probe_cargo(sh, "build")?.quiet().run()?;
    let target = workspace::root().join("target/bpf");
    let built = sh.read_binary_file(target.join(TARGET).join("release/pkgwarden-probes"))?;
    let object = target.join("pkgwarden-probes.o");
    // An object that did not change keeps its time, and so does not make cargo build again.
    if sh.read_binary_file(&object).ok().as_ref() != Some(&built) {
        sh.write_file(&object, built)?;
    }
    Ok(object)
}

/// Clippy over the eBPF programs, which the workspace's own run does not reach.
pub(crate) fn probe_clippy(sh: &Shell) -> anyhow::Result<()> {
    let _root = sh.push_dir(workspace::root());
    let clippy = probe_cargo(sh, "clippy")?.args(["--", "-D", "warnings"]);
    Ok(clippy.quiet().run()?)
}

/// `cargo VERB` for the eBPF programs.
fn probe_cargo<'a>(sh: &'a Shell, verb: &str) -> anyhow::Result<Cmd<'a>> {
    let linker = setup::bpf_linker(sh)?;
    let flags = [
        // Line information in the object: the verifier's log then quotes Rust.
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        // aya-ebpf's build script would take the host's, which may not be the target's.
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        // Not `--cpu=v3` for the linker: the two clash.
        "-Ctarget-cpu=v3".to_owned(),
        format!("-Clinker={}", linker.display()),
    ];
    let cargo = match core_library(sh)? {
        CoreLibrary::Prebuilt => {
            // aya-ebpf 0.2 uses one unstable feature, the probes their atomics: unlock it for these.
            cmd!(sh, "cargo {verb}").env("RUSTC_BOOTSTRAP", "aya_ebpf,pkgwarden_probes")
        }
        CoreLibrary::Source => cmd!(sh, "rustup run nightly cargo {verb} -Zbuild-std=core"),
    };
    Ok(cargo
        .args(["--release", "--package", "sensor-ebpf"])
        .args(["--bin", "pkgwarden-probes", "--features", "probes"])
        .args(["--target", TARGET, "--target-dir", "target/bpf"])
        // Separated by a byte no path holds, so a cache folder with a space in its name works.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")))
}

/// How `core` for the eBPF target is to be had.
enum CoreLibrary {
    /// Debian's Rust ships it.
    Prebuilt,
    /// rustup does not: a nightly builds it from source.
    Source,
}

fn core_library(sh: &Shell) -> anyhow::Result<CoreLibrary> {
    if sysroot(cmd!(sh, "rustc --print sysroot"))?
        .join("lib/rustlib")
        .join(TARGET)
        .exists()
    {
        return Ok(CoreLibrary::Prebuilt);
    }
    let nightly = sysroot(cmd!(sh, "rustup run nightly rustc --print sysroot")).context(
        "no core library for eBPF: run ./run.sh or xtask/bootstrap.sh, it says what to install",
    )?;
    if nightly.join("lib/rustlib/src/rust/library/core").exists() {
        return Ok(CoreLibrary::Source);
    }
    bail!("no core library for eBPF: run `rustup component add rust-src --toolchain nightly`");
}

fn sysroot(rustc: Cmd<'_>) -> anyhow::Result<PathBuf> {
    Ok(Path::new(&rustc.quiet().ignore_stderr().read()?).to_owned())
}
