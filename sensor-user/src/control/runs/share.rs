//! One run's share of what the sensor sees.
//!
//! **What a run counts.** The kernel counts for the whole machine, and from the daemon's start. A run
//! gets counters of its own, which begin at zero when it does:
//!
//! - *delivered* are the events put into its queue, and those that wait in a ring: whose they are is
//!   not known before they are read.
//! - *filtered* and *lost* is all that the kernel filtered or lost since the run began, of any session,
//!   since it does not say whose it was. A loss therefore marks every run then open. Lost are also
//!   the run's own events that found its queue full.
//! - *generated* is the sum. What other sessions were given appears nowhere.
//!
//! The sum holds by construction, for any number of runs, and a run that begins late owes nothing to
//! what went before.

use std::collections::{BTreeMap, HashSet};

use crate::control::call::Peer;
use crate::control::outbox::Outbox;
use crate::control::wire::{Reply, ReplyLine, json_line};
use crate::edge::boottime;
use crate::event::{Body, Count, Counters, Event, ProcessKey, WatchSet};

/// Events are put into the queue in pieces of about this size.
const PIECE: usize = 64 << 10;
/// The mode bit.
const SET_UID: u32 = 0o4000;

/// A run that is under way.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) peer: Peer,
    outbox: Outbox,
    /// What its rules need.
    pub(super) watch: WatchSet,
    /// Its own process is part of a watched lineage.
    pub(super) inside: bool,
    /// How many commands it has.
    pub(super) roots: usize,
    /// Processes with more rights than the user has.
    raised: HashSet<ProcessKey>,
    /// What the kernel had counted when the run began.
    baseline: Counters,
    latest: Counters,
    given: BTreeMap<&'static str, u64>,
    overflowed: BTreeMap<&'static str, u64>,
    withheld: u64,
    /// The client has not been told of all that it missed.
    untold: bool,
}

/// What a run gets of one batch.
#[derive(Debug, Default)]
pub(super) struct Batch {
    lines: Vec<u8>,
    kinds: BTreeMap<&'static str, u64>,
}

impl Run {
    /// One that begins now, when the kernel has counted so much.
    pub(super) fn new(peer: Peer, outbox: Outbox, watch: WatchSet, baseline: Counters) -> Self {
        Self {
            peer,
            outbox,
            watch,
            inside: false,
            roots: 0,
            raised: HashSet::new(),
            latest: baseline.clone(),
            baseline,
            given: BTreeMap::new(),
            overflowed: BTreeMap::new(),
            withheld: 0,
            untold: false,
        }
    }

    /// An event of its own: given to it, withheld or, where its queue is full, lost.
    pub(super) fn take(&mut self, event: &Event, batch: &mut Batch) {
        if self.is_withheld(event) {
            self.withheld += 1;
            return;
        }
        batch.lines.extend(json_line(event));
        for kind in kinds(&event.body) {
            *batch.kinds.entry(kind).or_default() += 1;
        }
        if batch.lines.len() >= PIECE {
            self.flush(batch);
        }
    }

    /// Puts what there is of a batch into the queue.
    pub(super) fn flush(&mut self, batch: &mut Batch) {
        if batch.lines.is_empty() {
            return;
        }
        let counts = match self.outbox.push(std::mem::take(&mut batch.lines)) {
            true => &mut self.given,
            false => &mut self.overflowed,
        };
        for (kind, more) in std::mem::take(&mut batch.kinds) {
            *counts.entry(kind).or_default() += more;
        }
    }

    fn is_withheld(&mut self, event: &Event) -> bool {
        let (Some(actor), false) = (event.body.actor(), self.peer.uid == 0) else {
            return false;
        };
        let raised = self.raised.contains(&actor.process);
        // That a process is made, starts a program or ends is no secret of a setuid program, and
        // without it the client would not know its own tree.
        let secret = match &event.body {
            Body::Fork { child, .. } => {
                if raised {
                    self.raised.insert(*child);
                }
                false
            }
            Body::Exec { exec, .. } => {
                match exec.mode & SET_UID != 0 && exec.owner != actor.uid {
                    true => self.raised.insert(actor.process),
                    false => self.raised.remove(&actor.process),
                };
                false
            }
            Body::Exit { .. } => {
                self.raised.remove(&actor.process);
                false
            }
            _ => raised,
        };
        secret || actor.uid != self.peer.uid
    }

    /// Ends a batch, in which there was something for the run or not.
    pub(super) fn account(&mut self, counters: &Counters, missed_so_far: u64, news: bool) {
        let lost = missed_so_far != missed(&self.latest);
        self.latest.clone_from(counters);
        if news || lost || self.untold {
            let line = self.counters_line();
            self.untold = !self.outbox.push(line);
        }
    }

    /// Tells how things stand, even where the queue is full.
    pub(super) fn tell(&mut self) {
        let line = self.counters_line();
        self.untold = !self.outbox.push_reply(line);
    }

    fn counters_line(&self) -> Vec<u8> {
        json_line(&Event {
            time: boottime(),
            cpu: 0,
            sequence: 0,
            body: Body::Counters(self.counters()),
        })
    }

    /// How the accounting stands for this run; see the module's description.
    fn counters(&self) -> Counters {
        let before = |kind: &str| self.baseline.kinds.get(kind).copied().unwrap_or_default();
        let kinds = self.latest.kinds.iter().map(|(kind, now)| {
            let before = before(kind);
            let received = self.given.get(kind).copied().unwrap_or_default();
            let overflowed = self.overflowed.get(kind).copied().unwrap_or_default();
            let delivered = received + now.delivered.saturating_sub(now.received);
            let filtered = now.filtered.saturating_sub(before.filtered);
            let lost = now.lost.saturating_sub(before.lost) + overflowed;
            let count = Count {
                generated: delivered + filtered + lost,
                delivered,
                filtered,
                lost,
                received,
            };
            (kind.to_owned(), count)
        });
        let since = |of: fn(&Counters) -> u64| of(&self.latest).saturating_sub(of(&self.baseline));
        Counters {
            kinds: kinds.collect(),
            lineage_full: since(|counters| counters.lineage_full),
            out_of_order: since(|counters| counters.out_of_order),
            withheld: self.withheld,
        }
    }

    /// Says something that is not an event.
    pub(super) fn reply(&self, reply: Reply) {
        // A client that does not read is not told why it ends.
        let _ = self.outbox.push_reply(json_line(&ReplyLine { reply }));
    }
}

/// What makes a session incomplete.
pub(super) fn missed(counters: &Counters) -> u64 {
    counters.lost() + counters.lineage_full
}

/// The kinds of record that an event was made of.
pub(super) fn kinds(body: &Body) -> &'static [&'static str] {
    match body {
        Body::Fork { .. } => &["fork"],
        Body::Exec { exec, .. } if exec.detail_lost => &["exec"],
        Body::Exec { .. } => &["exec", "exec_detail"],
        Body::Exit { .. } => &["exit"],
        Body::ExecFailed { .. } => &["exec_failed"],
        Body::Connect { .. } => &["connect"],
        Body::ConnectResult { cookie: 0, .. } => &["connect_exit"],
        Body::ConnectResult { .. } => &["connect_state"],
        Body::Send { .. } => &["send"],
        Body::Dns { .. } => &["dns"],
        Body::Listen { .. } => &["listen"],
        Body::RawSocket { .. } => &["raw_socket"],
        Body::Open { .. } => &["open"],
        Body::Rename { .. } => &["rename"],
        Body::Link { symbolic: true, .. } => &["symlink"],
        Body::Link { .. } => &["link"],
        Body::Unlink { .. } => &["unlink"],
        Body::Chmod { .. } => &["chmod"],
        Body::Module { .. } => &["module"],
        Body::IoUring { .. } => &["io_uring"],
        // Not the kernel's.
        _ => &[],
    }
}
