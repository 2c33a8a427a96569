//! Why the sensor can't start or go on: what, where, and what to do.

use std::io;

use thiserror::Error;

use super::btf::BtfError;

/// What went wrong in the kernel layer.
#[derive(Debug, Error)]
pub enum SensorError {
    /// Built without the probes.
    #[error("this build has no eBPF object: build pkgwarden with `cargo xtask build`")]
    NoObject,
    /// The kernel does not describe its types.
    #[error(
        "can't read /sys/kernel/btf/vmlinux ({0}): the kernel must be built with \
         CONFIG_DEBUG_INFO_BTF=y, as distributions' kernels are since 2021"
    )]
    NoBtf(io::Error),
    /// The description is damaged or lacks a struct.
    #[error("can't use /sys/kernel/btf/vmlinux: {0}")]
    Btf(BtfError),
    /// The kernel refuses eBPF to this process.
    #[error("no privileges to load eBPF programs ({0}): run as root, or allow `sudo -n pkgwarden`")]
    NoPrivileges(String),
    /// aya could not load the object.
    #[error("the kernel refused the eBPF object: {0}")]
    Load(String),
    /// A map is not there or refuses an operation: a defect of the build.
    #[error("eBPF map {map}: {cause}; the eBPF object and pkgwarden do not belong together")]
    Map {
        /// Which.
        map: &'static str,
        /// What it said.
        cause: String,
    },
    /// Lineage can't be followed at all.
    #[error("the kernel accepts no hook for {kind}: {reasons}")]
    NoHook {
        /// The event kind.
        kind: &'static str,
        /// What each hook said.
        reasons: String,
    },
    /// The process to watch is gone or not to be read.
    #[error("can't watch process {pid}: {cause}")]
    Process {
        /// Its pid.
        pid: u32,
        /// Why.
        cause: String,
    },
    /// The rings can't be waited for.
    #[error("can't wait for events: {0}")]
    Wait(io::Error),
}

/// The whole chain of an aya error on one line, since the causes say what the kernel said.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}
