//! Who connected: the kernel's word, and a handle that a later process with the same pid is not taken
//! for.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{PeerCredentials, PeerPidfd};
use procfs::FromRead;
use procfs::process::Stat;

use super::call::{Peer, Refusal};
use crate::edge::Held;

/// The process at the other end of a connection.
#[derive(Debug)]
pub(crate) struct PeerProcess {
    pub(crate) peer: Peer,
    held: Option<Held>,
}

impl PeerProcess {
    /// Of a connection that was just accepted. Credentials are those of the time of connect(2).
    pub(crate) fn of(connection: &impl AsFd) -> Result<Self, nix::Error> {
        let credentials = getsockopt(connection, PeerCredentials)?;
        let peer = Peer {
            pid: credentials.pid().try_into().unwrap_or(0),
            uid: credentials.uid(),
        };
        let held = Held::of_pid(peer.pid).filter(|_| still_connected_to(connection, peer.pid));
        Ok(Self { peer, held })
    }

    /// Whether it may be a run's process: alive, and its user's in every respect.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let pid = self.peer.pid;
        let Some(held) = &self.held else {
            return Err(match pid {
                0 => "your process has no pid where the daemon runs".to_owned(),
                _ => format!("process {pid} has ended"),
            });
        };
        let uids = held.uids();
        if !held.is_the_same() {
            return Err(format!("process {pid} has ended"));
        }
        match uids {
            Some(uids) if uids == [self.peer.uid; 3] => Ok(()),
            _ => Err(format!(
                "process {pid} is not one of uid {}: only one's own can be watched",
                self.peer.uid
            )),
        }
    }

    /// Holds a child of its, if it is that and of the same user.
    pub(crate) fn child(&self, pid: u32) -> Result<Held, Refusal> {
        self.check()?;
        let held = Held::of_pid(pid).ok_or_else(|| format!("there is no process {pid}"))?;
        let parent = held
            .read("stat")
            .and_then(|stat| Stat::from_read(&stat[..]).ok())
            .map(|stat| stat.ppid);
        if parent.and_then(|parent| u32::try_from(parent).ok()) != Some(self.peer.pid) {
            return Err(format!("process {pid} is not a child of yours"));
        }
        let uids = held.uids();
        // Root's child may have become the user that root runs it for.
        if self.peer.uid != 0 && uids != Some([self.peer.uid; 3]) {
            return Err(format!(
                "process {pid} is not one of uid {}: only one's own can be watched",
                self.peer.uid
            ));
        }
        match held.is_the_same() {
            true => Ok(held),
            false => Err(format!("process {pid} has ended")),
        }
    }
}

/// Whether the process that connected is alive, and so still the one with this pid. Before 6.5 the
/// kernel does not tell (no SO_PEERPIDFD); then a pid that was reused between connect and accept by a
/// process of the same user would be taken for it, which makes that process's children watched.
fn still_connected_to(connection: &impl AsFd, pid: u32) -> bool {
    let Ok(pidfd) = getsockopt(connection, PeerPidfd) else {
        return true;
    };
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()));
    let named = info.ok().and_then(|info| {
        let line = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
        line.trim().parse::<u32>().ok()
    });
    named == Some(pid)
}
