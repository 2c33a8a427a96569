//! The lineage set: who is watched.

use aya_ebpf::{helpers::generated::bpf_get_current_pid_tgid, macros::map, maps::HashMap};
use sensor_ebpf::abi::lineage::{CARRIER, Lineage};

use super::object;

/// Never LRU: a fork storm would push out its own ancestors.
#[map]
static LINEAGE: HashMap<u32, Lineage> = HashMap::with_max_entries(65_536, 0);

/// Names of executables that begin a lineage, in the daemon. Key: the first 32 bytes of the
/// basename, zero-padded.
#[map]
static ENTER: HashMap<[u8; 32], u32> = HashMap::with_max_entries(256, 0);

/// The current process's entry, if it is watched.
#[inline(always)]
pub fn watched() -> Option<*mut Lineage> {
    let entry = entry()?;
    // SAFETY: a map value, which lives as long as the program.
    let Lineage { start, flags, .. } = unsafe { *entry };
    // An entry whose process is gone, because its exit was missed, must not pass for the process
    // that has the pid now.
    (flags & CARRIER == 0 && object::start(object::current())? == start).then_some(entry)
}

/// What a child of the current process begins with, if it is to be watched, and whether it begins a
/// lineage of its own.
#[inline(always)]
pub fn inheritance(child: u32, start: u64) -> Option<(Lineage, bool)> {
    let parent = entry()?;
    // SAFETY: a map value.
    let parent = unsafe { *parent };
    if parent.flags & CARRIER != 0 {
        let first = Lineage {
            start,
            root_start: start,
            root_pid: child,
            flags: 0,
            module: 0,
        };
        return Some((first, true));
    }
    let known = object::start(object::current())? == parent.start;
    known.then_some((Lineage { start, ..parent }, false))
}

#[inline(always)]
fn entry() -> Option<*mut Lineage> {
    // SAFETY: takes nothing.
    let pid = (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32;
    LINEAGE.get_ptr_mut(pid)
}

/// The current process's entry, or a new one if an executable of this name begins a lineage.
#[inline(always)]
pub fn watched_or_entering(basename: impl FnOnce() -> Option<[u8; 32]>) -> Option<*mut Lineage> {
    if let Some(entry) = watched() {
        return Some(entry);
    }
    ENTER.get_ptr(basename()?)?;
    // SAFETY: takes nothing.
    let pid = (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32;
    let start = object::start(object::current())?;
    let value = Lineage {
        start,
        root_start: start,
        root_pid: pid,
        flags: 0,
        module: 0,
    };
    enter(pid, &value)
        .then(|| LINEAGE.get_ptr_mut(pid))
        .flatten()
}

/// Adds a process; false if the set is full.
#[inline(always)]
pub fn enter(pid: u32, value: &Lineage) -> bool {
    LINEAGE.insert(pid, value, 0).is_ok()
}

/// Removes a process; false if it was not there, or another thread of it was first.
#[inline(always)]
pub fn leave(pid: u32) -> bool {
    LINEAGE.remove(pid).is_ok()
}
