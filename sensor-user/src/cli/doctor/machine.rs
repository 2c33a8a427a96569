//! What can be read about the machine.

use std::fs;
use std::path::Path;

use nix::unistd::geteuid;

use super::Check;
use crate::edge::container;
use crate::sink::JOURNAL_SOCKET;

/// `bpf_loop`, which walks paths, is that old.
const OLDEST: (u32, u32) = (5, 17);

/// Everything that needs no sensor.
pub(super) fn checks() -> Vec<Check> {
    let paranoid = number("/proc/sys/kernel/perf_event_paranoid").unwrap_or(2);
    vec![
        kernel(),
        btf(),
        capabilities(paranoid),
        lockdown(),
        Check::ok("perf_event_paranoid", paranoid.to_string()),
        tracefs(),
        cgroups(),
        journald(),
    ]
}

fn kernel() -> Check {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match version(release) {
        Some(version) if version < OLDEST => Check::missing(
            "kernel",
            release,
            "use a kernel from 5.17 on, which can walk a path in eBPF",
        ),
        _ => Check::ok("kernel", release),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn btf() -> Check {
    const PATH: &str = "/sys/kernel/btf/vmlinux";
    let advice =
        "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are since 2021";
    match fs::metadata(PATH) {
        Ok(found) if found.len() > 0 => {
            Check::ok("BTF", format!("{PATH}, {} KiB", found.len() >> 10))
        }
        Ok(_) => Check::missing("BTF", format!("{PATH} is empty"), advice),
        Err(error) => Check::missing("BTF", format!("{PATH}: {error}"), advice),
    }
}

/// What each capability is for, by its number.
const CAPABILITIES: [(u64, &str); 5] = [
    (39, "CAP_BPF"),
    (38, "CAP_PERFMON"),
    (12, "CAP_NET_ADMIN"),
    (19, "CAP_SYS_PTRACE"),
    (2, "CAP_DAC_READ_SEARCH"),
];
const SYS_ADMIN: (u64, &str) = (21, "CAP_SYS_ADMIN");

fn capabilities(paranoid: i64) -> Check {
    let effective = procfs::process::Process::myself()
        .and_then(|me| me.status())
        .map_or(0, |status| status.capeff);
    let missing = missing_capabilities(effective, paranoid);
    if missing.is_empty() {
        let who = if geteuid().is_root() {
            "root"
        } else {
            "enough of them"
        };
        Check::ok("capabilities", who)
    } else {
        Check::missing(
            "capabilities",
            format!("without {}", missing.join(", ")),
            "run it as root, or `sudo pkgwarden doctor`; `pkgwarden run` asks sudo itself",
        )
    }
}

fn missing_capabilities(effective: u64, paranoid: i64) -> Vec<&'static str> {
    // Classic tracepoints ask for CAP_SYS_ADMIN where paranoid is 3 or more.
    let sys_admin = (paranoid >= 3).then_some(SYS_ADMIN);
    let has = |bit: u64| effective & (1 << bit) != 0;
    CAPABILITIES
        .into_iter()
        .chain(sys_admin)
        // CAP_SYS_ADMIN stands in for the two younger ones.
        .filter(|&(bit, _)| !(has(bit) || bit >= 38 && has(SYS_ADMIN.0)))
        .map(|(_, name)| name)
        .collect()
}

fn lockdown() -> Check {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let mode = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or("none", |(mode, _)| mode);
    if mode == "confidentiality" {
        Check::missing(
            "lockdown",
            mode,
            "boot with lockdown=integrity: in this mode eBPF can't read kernel memory",
        )
    } else {
        Check::ok("lockdown", mode)
    }
}

fn tracefs() -> Check {
    let mounted = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
        .into_iter()
        .find(|path| Path::new(path).join("events/syscalls").exists());
    match mounted {
        Some(path) => Check::ok("tracefs", path),
        None => Check::note(
            "tracefs",
            "not mounted, or not to be seen",
            "nothing as root, the sensor mounts it for itself alone; otherwise `mount -t tracefs \
             nodev /sys/kernel/tracing`",
        ),
    }
}

fn cgroups() -> Check {
    match container::mount() {
        Some(path) => Check::ok("cgroup2", path.display().to_string()),
        None => Check::note(
            "cgroup2",
            "not mounted",
            "`mount -t cgroup2 none /sys/fs/cgroup/unified`: without it connects are seen by a \
             fallback, datagrams and raw sockets not at all, and containers have no name",
        ),
    }
}

fn journald() -> Check {
    if Path::new(JOURNAL_SOCKET).exists() {
        Check::ok("journald", JOURNAL_SOCKET)
    } else {
        Check::note(
            "journald",
            format!("there is no {JOURNAL_SOCKET}"),
            "nothing, unless alerts are to go there: then start systemd-journald",
        )
    }
}

fn number(path: &str) -> Option<i64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(version("6.1.0-28-cloud-amd64"), Some((6, 1)));
        assert_eq!(version("5.9.16"), Some((5, 9)));
        assert!(version("5.9.16") < Some(OLDEST) && version("5.17-rc1") >= Some(OLDEST));
        assert_eq!(version(""), None);
    }

    #[test]
    fn a_paranoid_kernel_asks_for_one_capability_more() {
        let five = CAPABILITIES.iter().map(|(bit, _)| 1 << bit).sum();
        assert!(missing_capabilities(five, 2).is_empty());
        assert_eq!(missing_capabilities(five, 3), ["CAP_SYS_ADMIN"]);
        assert_eq!(missing_capabilities(0, 2).len(), 5);
    }

    #[test]
    fn sys_admin_stands_in_for_bpf_and_perfmon() {
        assert_eq!(
            missing_capabilities(1 << SYS_ADMIN.0, 4),
            ["CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]
        );
    }
}
