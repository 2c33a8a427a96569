//! Putting the programs on their hooks: for each kind the first hook that the kernel accepts.

use std::fs::File;

use aya::programs::{CgroupAttachMode, Program as AyaProgram};
use aya::{Btf, Ebpf};
use procfs::process::Process;

use super::error::{SensorError, chain};
use super::hook::{Hook, HookStatus, KINDS, Need, Place, Program};
use super::sensor::HookPreference;
use super::tracefs;

/// Loads and attaches all that the kernel accepts.
pub(super) fn all(
    ebpf: &mut Ebpf,
    btf: &Btf,
    preference: HookPreference,
) -> Result<Vec<HookStatus>, SensorError> {
    let cgroup = cgroup_root();
    let hooks = tracefs::with(|| {
        KINDS
            .iter()
            .map(|kind| {
                let skipped = match preference {
                    HookPreference::Fallback if kind.hooks.len() > 1 => 1,
                    _ => 0,
                };
                let mut status = HookStatus {
                    kind: kind.name,
                    optional: kind.need.is_optional(),
                    chosen: None,
                    refused: Vec::new(),
                };
                for hook in &kind.hooks[skipped..] {
                    match attach(ebpf, btf, &cgroup, hook) {
                        Ok(()) => {
                            status.chosen = Some(hook.name.to_owned());
                            break;
                        }
                        Err(reason) => status.refused.push((hook.name.to_owned(), reason)),
                    }
                }
                status
            })
            .collect::<Vec<_>>()
    });
    for (kind, status) in KINDS.iter().zip(&hooks) {
        if kind.need == Need::Lineage && status.chosen.is_none() {
            let reasons: Vec<_> = status
                .refused
                .iter()
                .map(|(hook, reason)| format!("{hook}: {reason}"))
                .collect();
            return Err(SensorError::NoHook {
                kind: kind.name,
                reasons: reasons.join("; "),
            });
        }
    }
    Ok(hooks)
}

fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    cgroup: &Result<File, String>,
    hook: &Hook,
) -> Result<(), String> {
    for program in hook.programs {
        match attach_one(ebpf, btf, cgroup, program) {
            Ok(()) => {}
            Err(_) if program.optional => {}
            Err(reason) => return Err(reason),
        }
    }
    Ok(())
}

fn attach_one(
    ebpf: &mut Ebpf,
    btf: &Btf,
    cgroup: &Result<File, String>,
    program: &Program,
) -> Result<(), String> {
    let loaded = ebpf
        .program_mut(program.name)
        .ok_or_else(|| format!("the object has no program {}", program.name))?;
    let attached = match (loaded, program.place) {
        (AyaProgram::BtfTracePoint(p), Place::Btf(function)) => {
            p.load(function, btf).and_then(|()| p.attach()).map(drop)
        }
        (AyaProgram::RawTracePoint(p), Place::Raw(function)) => {
            p.load().and_then(|()| p.attach(function)).map(drop)
        }
        (AyaProgram::TracePoint(p), Place::Syscall(name)) => {
            // One program is on all calls of its kind; its first attachment loads it.
            let loaded = if p.fd().is_ok() { Ok(()) } else { p.load() };
            loaded.and_then(|()| p.attach("syscalls", name)).map(drop)
        }
        (AyaProgram::CgroupSockAddr(p), Place::Cgroup) => {
            let cgroup = cgroup.as_ref().map_err(Clone::clone)?;
            p.load()
                .and_then(|()| p.attach(cgroup, CgroupAttachMode::Single))
                .map(drop)
        }
        (AyaProgram::CgroupSock(p), Place::Cgroup) => {
            let cgroup = cgroup.as_ref().map_err(Clone::clone)?;
            p.load()
                .and_then(|()| p.attach(cgroup, CgroupAttachMode::Single))
                .map(drop)
        }
        (AyaProgram::CgroupSkb(p), Place::Cgroup) => {
            let cgroup = cgroup.as_ref().map_err(Clone::clone)?;
            let way = *p.expected_attach_type();
            let way = way.ok_or_else(|| format!("program {} goes nowhere", program.name))?;
            p.load()
                .and_then(|()| p.attach(cgroup, way, CgroupAttachMode::Single))
                .map(drop)
        }
        _ => return Err(format!("program {} is of another type", program.name)),
    };
    attached.map_err(|error| chain(&error))
}

/// The root of the cgroup v2 hierarchy, where programs see every process: of several mounts of it the
/// first that can be opened, since one may be hidden below another.
fn cgroup_root() -> Result<File, String> {
    let mounts = Process::myself().and_then(|process| process.mountinfo());
    let mounts = mounts.map_err(|error| format!("the mounts can't be read: {error}"))?;
    let mut reason = "no cgroup v2 hierarchy is mounted".to_owned();
    for mount in mounts {
        if mount.fs_type != "cgroup2" || mount.root != "/" {
            continue;
        }
        // The file is there in every cgroup; another file system on top has none.
        if !mount.mount_point.join("cgroup.procs").exists() {
            reason = format!("{} is not to be seen", mount.mount_point.display());
            continue;
        }
        match File::open(&mount.mount_point) {
            Ok(root) => return Ok(root),
            Err(error) => reason = format!("{}: {error}", mount.mount_point.display()),
        }
    }
    Err(reason)
}
