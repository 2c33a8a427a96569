//! Which container a cgroup belongs to.
//!
//! The kernel gives the inode of a process's cgroup v2 folder. Its path is looked up once for
//! each, first from the process that showed it, then, when that is gone already, by walking the
//! mounted tree. The path is written by the runtime, not by the container.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::process::Held;
use crate::event::{Actor, ProcessKey};

/// Folders looked at before a walk gives up.
const WALK_LIMIT: usize = 20_000;
/// Cgroups remembered.
const KNOWN_LIMIT: usize = 4_096;

/// A container as its cgroup names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The runtime's id, or the machine's name where it has only that.
    pub id: String,
    /// `docker`, `containerd`, …
    pub runtime: &'static str,
}

/// Cgroups that were looked up.
#[derive(Debug, Default)]
pub struct Known(HashMap<u64, ()>);

impl Known {
    /// Whether this actor's cgroup is seen for the first time.
    pub fn is_new(&mut self, actor: &Actor) -> bool {
        if actor.cgroup == 0 {
            return false;
        }
        if self.0.len() >= KNOWN_LIMIT {
            self.0.clear();
        }
        self.0.insert(actor.cgroup, ()).is_none()
    }
}

/// The container of a cgroup. Reads many folders at worst: for the bounded pool only.
pub fn look_up(cgroup: u64, process: ProcessKey) -> Option<Named> {
    let held = Held::of(process);
    let lines = held.as_ref().and_then(|held| held.read("cgroup"));
    let lines = String::from_utf8_lossy(lines.as_deref().unwrap_or_default()).into_owned();
    // Beside v2 a v1 hierarchy may hold the containers; then the v2 path says nothing.
    lines
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .find_map(parse)
        .or_else(|| parse(path_of_inode(cgroup)?.to_str()?))
}

/// The cgroup v2 inode of a process.
pub fn cgroup_of(held: &Held) -> Option<u64> {
    let lines = held.read("cgroup")?;
    let lines = String::from_utf8(lines).ok()?;
    let inside = lines.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(fs::metadata(mount()?.join(inside)).ok()?.ino())
}

/// Where cgroup v2 is mounted.
pub fn mount() -> Option<&'static Path> {
    static MOUNT: OnceLock<Option<PathBuf>> = OnceLock::new();
    MOUNT
        .get_or_init(|| {
            let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
            mounts
                .lines()
                .map(|line| line.split(' ').collect::<Vec<_>>())
                .find(|words| words.get(2) == Some(&"cgroup2"))
                .and_then(|words| words.get(1).map(PathBuf::from))
        })
        .as_deref()
}

fn path_of_inode(inode: u64) -> Option<PathBuf> {
    let mount = mount()?;
    let mut folders = vec![mount.to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).ok()?.filter_map(Result::ok) {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            seen += 1;
            if seen > WALK_LIMIT {
                return None;
            }
            if entry.metadata().is_ok_and(|found| found.ino() == inode) {
                return entry.path().strip_prefix(mount).ok().map(PathBuf::from);
            }
            folders.push(entry.path());
        }
    }
    None
}

/// Reads a container out of a cgroup path; the innermost one counts.
pub fn parse(path: &str) -> Option<Named> {
    let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    (0..components.len()).rev().find_map(|at| {
        let parent = at.checked_sub(1).map(|at| components[at]);
        component(components[at], parent)
    })
}

fn component(name: &str, parent: Option<&str>) -> Option<Named> {
    let named = |id: &str, runtime| {
        Some(Named {
            id: id.to_owned(),
            runtime,
        })
    };
    let unit = name.strip_suffix(".scope").unwrap_or(name);
    const PREFIXES: [(&str, &str); 8] = [
        ("docker-", "docker"),
        ("cri-containerd-", "containerd"),
        ("nerdctl-", "containerd"),
        ("crio-", "crio"),
        ("libpod-", "podman"),
        ("crun-", "crun"),
        ("runc-", "runc"),
        ("buildkit-", "buildkit"),
    ];
    for (prefix, runtime) in PREFIXES {
        if let Some(id) = unit.strip_prefix(prefix).filter(|id| is_hex(id)) {
            return named(id, runtime);
        }
    }
    // `crun run NAME` by hand: the name is what was typed.
    if let Some(id) = unit.strip_prefix("crun-").filter(|_| name != unit) {
        return named(id, "crun");
    }
    if let Some(machine) = unit.strip_prefix("machine-").filter(|_| name != unit) {
        return named(&unescape_unit(machine), "nspawn");
    }
    if let Some(machine) = name
        .strip_prefix("systemd-nspawn@")
        .and_then(|name| name.strip_suffix(".service"))
    {
        return named(&unescape_unit(machine), "nspawn");
    }
    if let Some(container) = name.strip_prefix("lxc.payload.") {
        return named(container, "lxc");
    }
    match parent? {
        "docker" if is_hex(name) => named(name, "docker"),
        "buildkit" => named(name, "buildkit"),
        "lxc" | "lxc.payload" => named(name, "lxc"),
        "libpod_parent" if is_hex(name) => named(name, "podman"),
        pod if is_hex(name) && (pod.starts_with("pod") || pod.contains("-pod")) => {
            named(name, "containerd")
        }
        _ => None,
    }
}

/// Runtimes' ids are 64 digits; podman's infra and buildkit's are shorter.
fn is_hex(id: &str) -> bool {
    id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// systemd writes `-` in a unit's name as `\x2d`.
fn unescape_unit(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(at) = rest.find("\\x") {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 2..at + 4);
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if byte.is_ascii() => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            _ => {
                out.push_str("\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_and_runtime(path: &str) -> Option<(String, &'static str)> {
        parse(path).map(|named| (named.id, named.runtime))
    }

    #[test]
    fn each_runtimes_path_gives_its_container() {
        let id = "0123456789abcdef".repeat(4);
        for (path, runtime) in [
            (format!("/docker/{id}"), "docker"),
            (format!("/system.slice/docker-{id}.scope"), "docker"),
            (
                format!("/system.slice/docker-{id}.scope/init.scope"),
                "docker",
            ),
            (format!("/kubepods/burstable/pod1f2-3/{id}"), "containerd"),
            (
                format!("/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-{id}.scope"),
                "containerd",
            ),
            (
                format!("/machine.slice/libpod-{id}.scope/container"),
                "podman",
            ),
            (format!("/libpod_parent/libpod-{id}"), "podman"),
            (format!("/kubepods.slice/x/crio-{id}.scope"), "crio"),
            (
                format!("/system.slice:runc-{id}.scope").replace(':', "/"),
                "runc",
            ),
        ] {
            assert_eq!(id_and_runtime(&path), Some((id.clone(), runtime)), "{path}");
        }
    }

    #[test]
    fn machines_are_known_by_name() {
        for path in [
            "/machine.slice/machine-my\\x2dbox.scope",
            "/machine.slice/systemd-nspawn@my\\x2dbox.service/payload",
        ] {
            assert_eq!(id_and_runtime(path), Some(("my-box".to_owned(), "nspawn")));
        }
        assert_eq!(
            id_and_runtime("/lxc.payload.web/system.slice"),
            Some(("web".to_owned(), "lxc"))
        );
    }

    #[test]
    fn a_container_in_a_container_is_the_inner_one() {
        let (outer, inner) = ("a".repeat(64), "b".repeat(64));
        let path = format!("/docker/{outer}/docker/{inner}");
        assert_eq!(id_and_runtime(&path), Some((inner, "docker")));
    }

    #[test]
    fn the_hosts_own_cgroups_are_no_containers() {
        for path in [
            "/",
            "/user.slice/user-1000.slice/session-2.scope",
            "/system.slice/docker.service",
            "/init.scope",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/run-u12.scope",
        ] {
            assert_eq!(id_and_runtime(path), None, "{path}");
        }
    }
}
