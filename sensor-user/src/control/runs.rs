//! The runs that a daemon watches for others: which of its events belong to whom, and what each may
//! believe of its completeness.
//!
//! **What a run sees.** An event belongs to the run whose command is at the root of its lineage; the
//! kernel names that root on every event. Events of processes of other users are withheld from who
//! is not root, and so is what a setuid program does until it starts another one: the caller could not
//! have traced it either. Withheld events are counted, and the run's report is
//! incomplete with them.
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

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::call::{Answer, Begin, Call, ClientId, Drain, Living, Offer, Peer, Refusal};
use super::outbox::Outbox;
use super::wire::{Reply, ReplyLine, json_line};
use crate::edge::boottime;
use crate::event::{Body, Count, Counters, Event, ProcessKey, WatchSet};

/// Commands of one run; `run` has one.
const ROOTS: usize = 64;
/// Events are put into the queue in pieces of about this size.
const PIECE: usize = 64 << 10;
/// The mode bit.
const SET_UID: u32 = 0o4000;

/// What the runs need of the sensor.
pub trait Watcher {
    /// Makes every process that this one will make the root of a lineage, in one step with the check
    /// that it is in no lineage and no carrier itself: false if it is. Anything else would let
    /// watched code shed its lineage.
    fn add_carrier(&mut self, pid: u32) -> Result<bool, Refusal>;
    /// Its children are no longer watched; those it has stay so. The pid may be another process's by
    /// now: what is watched must stay so.
    fn remove_carrier(&mut self, pid: u32);
    /// Who has this pid in the lineage set.
    fn member(&mut self, pid: u32) -> Result<Option<Living>, Refusal>;
    /// The accounting as of now.
    fn counters(&mut self) -> Result<Counters, Refusal>;
}

/// The runs there are. Owned by the daemon's loop, which hands it every call and every batch.
#[derive(Debug, Default)]
pub struct Runs {
    runs: HashMap<ClientId, Run>,
    roots: HashMap<ProcessKey, ClientId>,
    offer: Arc<Offer>,
}

#[derive(Debug)]
struct Run {
    peer: Peer,
    outbox: Outbox,
    watch: WatchSet,
    roots: usize,
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

impl Runs {
    /// With what the daemon's probes report.
    pub fn new(offer: Arc<Offer>) -> Self {
        Self {
            offer,
            ..Self::default()
        }
    }

    /// The rules were reloaded. A run that needs more than is reported now is ended: it would be
    /// blind without knowing it.
    pub fn renew(&mut self, offer: Arc<Offer>, watcher: &mut impl Watcher) {
        let blind: Vec<ClientId> = self
            .runs
            .iter()
            .filter(|(_, run)| !offer.watch.covers(&run.watch))
            .map(|(client, _)| *client)
            .collect();
        for client in blind {
            if let Some(run) = self.runs.get(&client) {
                let message = "its rules were reloaded, and no longer cover yours".to_owned();
                run.reply(Reply::Failed { message });
            }
            self.end(client, watcher);
        }
        self.offer = offer;
    }

    /// The daemon ends: each run is told, and watches nothing any more.
    pub fn stop(&mut self, watcher: &mut impl Watcher) {
        for run in self.runs.values() {
            run.reply(Reply::Failed {
                message: "the daemon was stopped".to_owned(),
            });
        }
        let clients: Vec<ClientId> = self.runs.keys().copied().collect();
        for client in clients {
            self.end(client, watcher);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Answers what concerns the runs and gives the rest back.
    pub fn handle(&mut self, call: Call, watcher: &mut impl Watcher) -> Option<Call> {
        match call {
            Call::Begin(begin) => self.begin(begin, watcher),
            Call::Watch {
                client,
                pid,
                answer,
            } => self.watch(client, pid, answer, watcher),
            Call::End { client } => {
                self.end(client, watcher);
                // It may be a follower.
                return Some(Call::End { client });
            }
            other => return Some(other),
        }
        None
    }

    fn begin(&mut self, begin: Begin, watcher: &mut impl Watcher) {
        let begun = self.try_begin(&begin, watcher);
        // Where it hung up meanwhile, its end is the next call.
        let _ = begin.answer.send(begun);
    }

    fn try_begin(&mut self, begin: &Begin, watcher: &mut impl Watcher) -> Result<(), Refusal> {
        if self.runs.contains_key(&begin.client) {
            return Err("it was started already".to_owned());
        }
        if !Arc::ptr_eq(&begin.offer, &self.offer) {
            return Err("the daemon's rules were reloaded just now: try again".to_owned());
        }
        let pid = begin.peer.pid;
        if self.runs.values().any(|run| run.peer.pid == pid) {
            return Err(format!("process {pid} has begun a run already"));
        }
        let baseline = watcher.counters()?;
        if !watcher.add_carrier(pid)? {
            return Err(format!(
                "process {pid} is watched already: what runs under pkgwarden stays in its session"
            ));
        }
        let run = Run {
            peer: begin.peer,
            outbox: begin.outbox.clone(),
            watch: begin.watch.clone(),
            roots: 0,
            raised: HashSet::new(),
            latest: baseline.clone(),
            baseline,
            given: BTreeMap::new(),
            overflowed: BTreeMap::new(),
            withheld: 0,
            untold: false,
        };
        self.runs.insert(begin.client, run);
        Ok(())
    }

    fn watch(
        &mut self,
        client: ClientId,
        pid: u32,
        answer: Answer<ProcessKey>,
        watcher: &mut impl Watcher,
    ) {
        // A connection that is gone ends the run by itself.
        let _ = answer.send(self.try_watch(client, pid, watcher));
    }

    fn try_watch(
        &mut self,
        client: ClientId,
        pid: u32,
        watcher: &mut impl Watcher,
    ) -> Result<ProcessKey, Refusal> {
        let run = self.runs.get_mut(&client).ok_or("there is no such run")?;
        if run.roots >= ROOTS {
            return Err(format!("a run watches at most {ROOTS} commands"));
        }
        let member = watcher
            .member(pid)?
            .ok_or_else(|| format!("process {pid} did not enter the lineage set"))?;
        if member.process != member.root {
            return Err(format!("process {pid} belongs to another command's tree"));
        }
        match self.roots.insert(member.root, client) {
            None => run.roots += 1,
            Some(same) if same == client => {}
            Some(other) => {
                self.roots.insert(member.root, other);
                return Err(format!("process {pid} is another run's command"));
            }
        }
        Ok(member.process)
    }

    fn end(&mut self, client: ClientId, watcher: &mut impl Watcher) {
        if let Some(run) = self.runs.remove(&client) {
            watcher.remove_carrier(run.peer.pid);
            self.roots.retain(|_, owner| *owner != client);
        }
    }

    /// Gives each run what is its own of a batch, as decoded and before anything is added to it, and
    /// the counters that end the batch. Never waits.
    pub fn deliver(&mut self, events: &[Event], counters: &Counters) {
        if self.runs.is_empty() {
            return;
        }
        let mut batches: HashMap<ClientId, Batch> = HashMap::new();
        for event in events {
            let Some(actor) = event.body.actor() else {
                continue;
            };
            let Some(client) = self.roots.get(&actor.root) else {
                continue;
            };
            if let Some(run) = self.runs.get_mut(client) {
                run.take(event, batches.entry(*client).or_default());
            }
        }
        let missed = missed(counters);
        for (client, run) in &mut self.runs {
            let news = match batches.remove(client) {
                Some(mut batch) => {
                    run.flush(&mut batch);
                    true
                }
                None => false,
            };
            let lost = missed != run.latest_missed();
            run.latest.clone_from(counters);
            if news || lost || run.untold {
                let line = run.counters_line();
                run.untold = !run.outbox.push(line);
            }
        }
    }

    /// Everything generated before was handled: tells each run that waits for it how things stand,
    /// then all who wait.
    pub fn drained(&mut self, drain: Drain) {
        for client in &drain.runs {
            if let Some(run) = self.runs.get_mut(client) {
                let line = run.counters_line();
                run.untold = !run.outbox.push_reply(line);
            }
        }
        // Whoever asked may be gone.
        let _ = drain.answer.send(Ok(()));
    }
}

/// What a run gets of one batch.
#[derive(Debug, Default)]
struct Batch {
    lines: Vec<u8>,
    kinds: BTreeMap<&'static str, u64>,
}

impl Run {
    fn take(&mut self, event: &Event, batch: &mut Batch) {
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

    fn flush(&mut self, batch: &mut Batch) {
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
            let received = self.given.get(kind.as_str()).copied().unwrap_or_default();
            let overflowed = self
                .overflowed
                .get(kind.as_str())
                .copied()
                .unwrap_or_default();
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
            (kind.clone(), count)
        });
        let since = |of: fn(&Counters) -> u64| of(&self.latest).saturating_sub(of(&self.baseline));
        Counters {
            kinds: kinds.collect(),
            lineage_full: since(|counters| counters.lineage_full),
            out_of_order: since(|counters| counters.out_of_order),
            withheld: self.withheld,
        }
    }

    fn latest_missed(&self) -> u64 {
        missed(&self.latest)
    }

    fn reply(&self, reply: Reply) {
        // A client that does not read is not told why it ends.
        let _ = self.outbox.push_reply(json_line(&ReplyLine { reply }));
    }
}

/// What makes a session incomplete.
fn missed(counters: &Counters) -> u64 {
    let lost = counters.kinds.values().map(|count| count.lost);
    lost.sum::<u64>() + counters.lineage_full
}

/// The kinds of record that an event was made of.
fn kinds(body: &Body) -> &'static [&'static str] {
    match body {
        Body::Fork { .. } => &["fork"],
        Body::Exec { exec, .. } if exec.detail_lost => &["exec"],
        Body::Exec { .. } => &["exec", "exec_detail"],
        Body::Exit { .. } => &["exit"],
        Body::ExecFailed { .. } => &["exec_failed"],
        Body::Connect { .. } => &["connect"],
        Body::ConnectResult { .. } => &["connect_exit"],
        Body::Send { .. } => &["send"],
        Body::RawSocket { .. } => &["raw_socket"],
        Body::Open { .. } => &["open"],
        Body::Rename { .. } => &["rename"],
        Body::Link { symbolic: true, .. } => &["symlink"],
        Body::Link { .. } => &["link"],
        Body::Chmod { .. } => &["chmod"],
        Body::Module { .. } => &["module"],
        Body::IoUring { .. } => &["io_uring"],
        // Not the kernel's.
        _ => &[],
    }
}
