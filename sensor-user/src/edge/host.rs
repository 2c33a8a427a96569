//! The machine and its clocks.

use std::collections::BTreeMap;
use std::fs;

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{User, getuid};

use crate::event::{Host, UserName};

/// Accounts told to the core.
const ACCOUNTS: usize = 1_000;

/// Who this machine is. What can't be read stays empty.
pub fn host() -> Host {
    Host {
        name: line("/proc/sys/kernel/hostname"),
        id: line("/etc/machine-id"),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
        kernel: line("/proc/sys/kernel/osrelease"),
    }
}

fn line(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The accounts of this machine, and the one that we run as, which a directory service may know.
pub fn users() -> Vec<UserName> {
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = User::from_uid(getuid()).ok().flatten();
    let own = own.map(|user| (user.uid.as_raw(), user.name));
    let names: BTreeMap<u32, String> = accounts
        .lines()
        .filter_map(account)
        .take(ACCOUNTS)
        .chain(own)
        .collect();
    names
        .into_iter()
        .map(|(uid, name)| UserName { uid, name })
        .collect()
}

fn account(line: &str) -> Option<(u32, String)> {
    let mut parts = line.split(':');
    let (name, _password, uid) = (parts.next()?, parts.next()?, parts.next()?);
    Some((uid.parse().ok()?, name.to_owned()))
}

/// CLOCK_BOOTTIME now, in nanoseconds: the clock that events carry.
pub fn boottime() -> u64 {
    u64::try_from(nanoseconds(ClockId::CLOCK_BOOTTIME)).unwrap_or(0)
}

/// CLOCK_REALTIME minus CLOCK_BOOTTIME, in nanoseconds.
pub fn wall_offset() -> i64 {
    nanoseconds(ClockId::CLOCK_REALTIME) - nanoseconds(ClockId::CLOCK_BOOTTIME)
}

fn nanoseconds(clock: ClockId) -> i64 {
    // Both clocks exist on every kernel that has eBPF.
    clock_gettime(clock).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_among_the_users() {
        assert!(
            users()
                .iter()
                .any(|user| user.uid == 0 && user.name == "root")
        );
    }

    #[test]
    fn boottime_plus_the_offset_is_the_wall_clock() {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos() as i64;
        let ours = boottime() as i64 + wall_offset();
        assert!((wall - ours).abs() < 1_000_000_000, "{wall} {ours}");
    }
}
