//! The lineage set and the names that begin a lineage, from this side.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError};
use procfs::process::Process;
use sensor_ebpf::abi::lineage::{CARRIER, Lineage};
use zerocopy::{FromBytes, IntoBytes};

use super::error::SensorError;
use super::watch::{failed, missing};
use crate::event::ProcessKey;

const SET: &str = "LINEAGE";
const NAMES: &str = "ENTER";

/// Bytes of an executable's name that are compared.
const NAME: usize = 32;

/// Entries that are looked at before a listing ends: more than an honest set holds.
const ENTRIES: usize = 1 << 18;

/// `BPF_NOEXIST` (include/uapi/linux/bpf.h): only if there is no entry.
const NOEXIST: u64 = 1;

/// `PF_EXITING` (include/linux/sched.h).
const EXITING: u32 = 4;

/// [`Lineage`], as aya wants it.
type Bytes = [u8; size_of::<Lineage>()];

/// A watched process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// Which.
    pub process: ProcessKey,
    /// Where its lineage began.
    pub root: ProcessKey,
}

/// The lineage set.
pub(super) struct Set(HashMap<MapData, u32, Bytes>);

impl Set {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, SensorError> {
        let map = ebpf.take_map(SET).ok_or_else(|| missing(SET))?;
        HashMap::try_from(map)
            .map(Self)
            .map_err(|error| failed(SET, &error))
    }

    fn get(&self, pid: u32) -> Result<Option<Lineage>, SensorError> {
        match self.0.get(&pid, 0) {
            Ok(bytes) => Ok(Lineage::read_from_bytes(&bytes).ok()),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(failed(SET, &error)),
        }
    }

    /// Whether it was put in: it is not if there is an entry.
    fn insert(&mut self, pid: u32, value: &Lineage) -> Result<bool, SensorError> {
        let bytes: Bytes = value
            .as_bytes()
            .try_into()
            .expect("a struct has its own size");
        match self.0.insert(pid, bytes, NOEXIST) {
            Ok(()) => Ok(true),
            Err(MapError::SyscallError(error))
                if error.io_error.kind() == ErrorKind::AlreadyExists =>
            {
                Ok(false)
            }
            Err(error) => Err(failed(SET, &error)),
        }
    }

    fn remove(&mut self, pid: u32) -> Result<(), SensorError> {
        match self.0.remove(&pid) {
            Err(MapError::SyscallError(error)) if error.io_error.kind() == ErrorKind::NotFound => {
                Ok(())
            }
            done => done.map_err(|error| failed(SET, &error)),
        }
    }

    /// The watched process that has this pid.
    pub(super) fn member(&self, pid: u32) -> Result<Option<Member>, SensorError> {
        Ok(self.get(pid)?.and_then(|entry| member(pid, &entry)))
    }

    /// Makes every process that `pid` will make the root of a lineage. False if it is watched itself,
    /// or a carrier already.
    pub(super) fn add_carrier(&mut self, pid: u32) -> Result<bool, SensorError> {
        let value = Lineage {
            start: 0,
            root_start: 0,
            root_pid: 0,
            flags: CARRIER,
            module: 0,
        };
        self.insert(pid, &value)
    }

    pub(super) fn remove_carrier(&mut self, pid: u32) -> Result<(), SensorError> {
        match self.get(pid)? {
            Some(entry) if entry.flags & CARRIER != 0 => self.remove(pid),
            // The pid went to a watched process meanwhile.
            _ => Ok(()),
        }
    }

    /// Puts a process that runs already into a lineage. False if it is in one, or has ended.
    pub(super) fn adopt(
        &mut self,
        process: ProcessKey,
        root: ProcessKey,
    ) -> Result<bool, SensorError> {
        let value = Lineage {
            start: process.start,
            root_start: root.start,
            root_pid: root.pid,
            flags: 0,
            module: 0,
        };
        if !self.insert(process.pid, &value)? {
            return Ok(false);
        }
        // No probe takes out what had ended before it was put in.
        let lives = lives(process);
        if !lives {
            self.forget(process)?;
        }
        Ok(lives)
    }

    /// Takes a process out that has ended, whose end no probe saw.
    pub(super) fn forget(&mut self, process: ProcessKey) -> Result<(), SensorError> {
        match self.get(process.pid)? {
            Some(entry) if entry.flags & CARRIER == 0 && entry.start == process.start => {
                self.remove(process.pid)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn members(&self) -> Vec<Member> {
        // The kernel begins anew where the last key was taken out meanwhile.
        let entries = self.0.iter().filter_map(Result::ok).take(ENTRIES);
        entries
            .filter_map(|(pid, bytes)| member(pid, &Lineage::read_from_bytes(&bytes).ok()?))
            .collect()
    }
}

/// What an entry says of a watched process; a carrier is none.
fn member(pid: u32, entry: &Lineage) -> Option<Member> {
    (entry.flags & CARRIER == 0).then_some(Member {
        process: ProcessKey {
            pid,
            start: entry.start,
        },
        root: ProcessKey {
            pid: entry.root_pid,
            start: entry.root_start,
        },
    })
}

/// Whether a process has a thread that runs. A leader that ended is kept until the others have; a dead
/// process until its parent has asked for its status.
pub(super) fn lives(process: ProcessKey) -> bool {
    let Some(stat) = Process::new(process.pid as i32)
        .and_then(|found| found.stat())
        .ok()
    else {
        return false;
    };
    let tick = 1_000_000_000 / procfs::ticks_per_second().max(1);
    let leader_ends = stat.flags & EXITING != 0;
    stat.starttime == process.start / tick && (!leader_ends || stat.num_threads > 1)
}

/// Tells the probes which executables begin a lineage.
pub(super) fn install_names(ebpf: &mut Ebpf, names: &[String]) -> Result<(), SensorError> {
    let map = ebpf.map_mut(NAMES).ok_or_else(|| missing(NAMES))?;
    let mut map: HashMap<_, [u8; NAME], u32> =
        HashMap::try_from(map).map_err(|error| failed(NAMES, &error))?;
    let keys: BTreeSet<_> = names.iter().map(|name| key(name)).collect();
    for key in keys {
        map.insert(key, 1, 0)
            .map_err(|error| failed(NAMES, &error))?;
    }
    Ok(())
}

/// Whether the probes know all of them still.
pub(super) fn names_are_in_place(ebpf: &Ebpf, names: &[String]) -> bool {
    let Some(Ok(map)) = ebpf.map(NAMES).map(HashMap::<_, [u8; NAME], u32>::try_from) else {
        return false;
    };
    names.iter().all(|name| map.get(&key(name), 0).is_ok())
}

fn key(name: &str) -> [u8; NAME] {
    let mut key = [0; NAME];
    let length = name.len().min(NAME);
    key[..length].copy_from_slice(&name.as_bytes()[..length]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_earlier_one_with_its_pid_does_not() {
        let stat = Process::myself().unwrap().stat().unwrap();
        let tick = 1_000_000_000 / procfs::ticks_per_second();
        let own = ProcessKey {
            pid: std::process::id(),
            start: stat.starttime * tick + 1,
        };
        assert!(lives(own));
        assert!(!lives(ProcessKey {
            start: own.start - 2 * tick,
            ..own
        }));
    }

    #[test]
    fn a_dead_child_that_nobody_waited_for_does_not_live() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let stat = || Process::new(child.id() as i32).unwrap().stat().unwrap();
        while stat().state != 'Z' {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let tick = 1_000_000_000 / procfs::ticks_per_second();
        let key = ProcessKey {
            pid: child.id(),
            start: stat().starttime * tick,
        };
        assert!(!lives(key));
        child.wait().unwrap();
    }
}
