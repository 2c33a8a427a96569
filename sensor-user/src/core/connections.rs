//! Where a session connected to, and how that ended.

use std::collections::BTreeMap;
use std::rc::Rc;

use foldhash::HashMap;
use nix::errno::Errno;

use crate::alert::report::Connection;
use crate::alert::schema::Outcome;
use crate::event::{Actor, ProcessKey, Socket};

use super::act;

/// How many different destinations are told apart; the others are counted together.
const DESTINATIONS: usize = 4096;
/// How many connects may wait for their result.
const WAITING: usize = 1 << 16;

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Destination {
    ip: Option<std::net::IpAddr>,
    domain: Option<Rc<str>>,
    path: Option<String>,
    port: Option<u16>,
    transport: &'static str,
    class: &'static str,
}

/// All connections of a watch.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections {
    counts: BTreeMap<Destination, BTreeMap<Outcome, u64>>,
    /// The last connect of each thread, until its result comes.
    waiting: HashMap<ProcessKey, Vec<(u32, Destination)>>,
}

impl Connections {
    /// A connect or a datagram. Its outcome is `attempted` until a result comes.
    pub(super) fn attempted(
        &mut self,
        actor: &Actor,
        socket: &Socket,
        domain: Option<&Rc<str>>,
        expects_result: bool,
    ) {
        let Some(class) = act::class(socket) else {
            return;
        };
        let mut destination = Destination {
            ip: socket.ip.map(crate::names::canonical),
            domain: domain.cloned(),
            path: socket.path.as_ref().map(crate::event::Text::escaped),
            port: socket.ip.map(|_| socket.port),
            transport: act::transport(socket.transport),
            class: class.name(),
        };
        if self.counts.len() >= DESTINATIONS && !self.counts.contains_key(&destination) {
            destination.ip = None;
            destination.domain = None;
            destination.path = None;
            destination.port = None;
        }
        *self
            .counts
            .entry(destination.clone())
            .or_default()
            .entry(Outcome::Attempted)
            .or_default() += 1;
        if !expects_result {
            return;
        }
        if self.waiting.len() >= WAITING {
            self.waiting.clear();
        }
        let threads = self.waiting.entry(actor.process).or_default();
        threads.retain(|(tid, _)| *tid != actor.tid);
        if threads.len() < 1024 {
            threads.push((actor.tid, destination));
        }
    }

    /// The result of the last connect of a thread replaces its `attempted`.
    pub(super) fn ended(&mut self, actor: &Actor, errno: i32) {
        let Some(outcome) = outcome(errno) else {
            return;
        };
        let Some(threads) = self.waiting.get_mut(&actor.process) else {
            return;
        };
        let Some(at) = threads.iter().position(|(tid, _)| *tid == actor.tid) else {
            return;
        };
        let (_, destination) = threads.swap_remove(at);
        if threads.is_empty() {
            self.waiting.remove(&actor.process);
        }
        let outcomes = self.counts.entry(destination).or_default();
        if let Some(attempted) = outcomes.get_mut(&Outcome::Attempted) {
            *attempted -= 1;
            if *attempted == 0 {
                outcomes.remove(&Outcome::Attempted);
            }
        }
        *outcomes.entry(outcome).or_default() += 1;
    }

    /// The process ended: no result will come.
    pub(super) fn forget(&mut self, process: ProcessKey) {
        self.waiting.remove(&process);
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.counts.values().flat_map(BTreeMap::values).sum()
    }

    /// For the report, by address.
    pub(super) fn all(&self) -> Vec<Connection> {
        self.counts
            .iter()
            .flat_map(|(destination, outcomes)| {
                outcomes.iter().map(|(&outcome, &count)| Connection {
                    ip: destination.ip.map(act::shown),
                    path: destination.path.clone(),
                    domain: destination.domain.as_deref().map(str::to_owned),
                    port: destination.port,
                    transport: destination.transport.to_owned(),
                    class: destination.class.to_owned(),
                    outcome,
                    count,
                })
            })
            .collect()
    }
}

/// Whether a connect has failed for good.
pub(super) fn failed(errno: i32) -> bool {
    outcome(errno).is_some_and(|outcome| outcome != Outcome::Connected)
}

/// What an errno of connect(2) means; `None` while it is not decided.
fn outcome(errno: i32) -> Option<Outcome> {
    if errno == 0 {
        return Some(Outcome::Connected);
    }
    match Errno::from_raw(errno) {
        Errno::EINPROGRESS | Errno::EALREADY | Errno::EINTR | Errno::EAGAIN | Errno::EISCONN => {
            None
        }
        Errno::EACCES | Errno::EPERM => Some(Outcome::Blocked),
        Errno::ECONNREFUSED | Errno::ECONNRESET | Errno::ENOENT => Some(Outcome::Refused),
        _ => Some(Outcome::Unreachable),
    }
}
