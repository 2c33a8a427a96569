//! Where a session connected to, and how that ended.

use std::collections::BTreeMap;
use std::rc::Rc;

use foldhash::HashMap;
use nix::errno::Errno;

use crate::alert::report::Connection;
use crate::alert::schema::Outcome;
use crate::event::{Actor, ProcessKey, Socket, Transport};

use super::act;

/// How many different destinations are told apart; the others are counted together.
const DESTINATIONS: usize = 4096;
/// How many processes may wait for results, and for how many each; the oldest give way.
const WAITING: usize = 1 << 16;
const WAITING_EACH: usize = 1024;

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

/// A connect whose outcome may still change.
#[derive(Debug, Clone)]
struct Waiting {
    /// 0 where unknown.
    cookie: u64,
    /// The thread, while this is the connect that it made last and its call has not ended.
    thread: Option<u32>,
    destination: Destination,
    /// As it is counted.
    outcome: Outcome,
}

impl Waiting {
    /// The state of its socket will tell, which knows better than the call: that ends early where it
    /// does not block, and at once where the first datagram goes out with the handshake.
    fn has_state(&self) -> bool {
        self.cookie != 0 && self.destination.transport == act::transport(Transport::Tcp)
    }
}

/// All connections of a watch.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections {
    counts: BTreeMap<Destination, BTreeMap<Outcome, u64>>,
    /// By the process that connects, oldest first.
    waiting: HashMap<ProcessKey, Vec<Waiting>>,
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
        let waiting = self.waiting.entry(actor.process).or_default();
        for earlier in waiting.iter_mut() {
            if earlier.thread == Some(actor.tid) {
                earlier.thread = None;
            }
        }
        waiting.retain(|earlier| match earlier.cookie {
            0 => earlier.thread.is_some(),
            // The same socket connects again.
            cookie => cookie != socket.cookie && (earlier.thread.is_some() || earlier.has_state()),
        });
        if waiting.len() >= WAITING_EACH {
            waiting.remove(0);
        }
        waiting.push(Waiting {
            cookie: socket.cookie,
            thread: Some(actor.tid),
            destination,
            outcome: Outcome::Attempted,
        });
    }

    /// The result of a connect replaces its `attempted`: of the socket with this cookie, or without one
    /// of the connect that the thread made last.
    pub(super) fn ended(&mut self, actor: &Actor, cookie: u64, errno: i32) {
        let Some(waiting) = self.waiting.get_mut(&actor.process) else {
            return;
        };
        let found = match cookie {
            0 => waiting
                .iter()
                .position(|connect| connect.thread == Some(actor.tid)),
            _ => waiting.iter().position(|connect| connect.cookie == cookie),
        };
        let Some(at) = found else {
            return;
        };
        let Some(outcome) = outcome(errno) else {
            return;
        };
        let connect = &mut waiting[at];
        let before = std::mem::replace(&mut connect.outcome, outcome);
        let destination = connect.destination.clone();
        if cookie == 0 && connect.has_state() && outcome == Outcome::Connected {
            connect.thread = None;
        } else {
            waiting.remove(at);
            if waiting.is_empty() {
                self.waiting.remove(&actor.process);
            }
        }
        let outcomes = self.counts.entry(destination).or_default();
        if let Some(count) = outcomes.get_mut(&before) {
            *count -= 1;
            if *count == 0 {
                outcomes.remove(&before);
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

/// Whether a connect has failed for good; `None` while it is not decided.
pub(super) fn failed(errno: i32) -> Option<bool> {
    outcome(errno).map(|outcome| outcome != Outcome::Connected)
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
