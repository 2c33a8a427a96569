//! The runs that a daemon watches for others: which of its events belong to whom, and what each may
//! believe of its completeness.
//!
//! **What a run sees.** An event belongs to the run whose command is at the root of its lineage; the
//! kernel names that root on every event. A run that is itself part of a watched lineage (a step of a CI
//! job, a terminal below an editor's server) gets what descends from its command, as [`inside`] keeps it;
//! its lineage, and what the daemon makes of it, stay what they were. Events of processes of other users are withheld from who
//! is not root, and so is what a setuid program does until it starts another one: the caller could not
//! have traced it either. Withheld events are counted, and the run's report is
//! incomplete with them.
//!
//! What it counts is told in `share`.

mod inside;
mod share;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use super::call::{Answer, Begin, Call, ClientId, Drain, Living, Offer, Refusal};
use super::wire::Reply;
use crate::event::{Counters, Event, ProcessKey};
use inside::Inside;
use share::{Batch, Run, missed};

/// Commands of one run; `run` has one.
const ROOTS: usize = 64;

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
    inside: Inside,
    offer: Arc<Offer>,
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
                message: "it was stopped".to_owned(),
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
        let inside = !watcher.add_carrier(pid)?;
        if inside && watcher.member(pid)?.is_none() {
            return Err(format!("process {pid} has begun a watch already"));
        }
        let mut run = Run::new(
            begin.peer,
            begin.outbox.clone(),
            begin.watch.clone(),
            baseline,
        );
        run.inside = inside;
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
        // That it is a child of the run's own process the server has looked at.
        if run.inside {
            if let Some(owner) = self.inside.owner(member.process)
                && owner != client
            {
                return Err(format!("process {pid} belongs to another command's tree"));
            }
            if self.inside.watch(member.process, client)? {
                run.roots += 1;
            }
            return Ok(member.process);
        }
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
            self.inside.end(client);
        }
    }

    /// The commands that a watched process belongs to, besides where its lineage began.
    pub fn commands_of(&self, process: ProcessKey) -> impl Iterator<Item = ProcessKey> {
        self.inside.commands(process)
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
            if let Some(client) = self.roots.get(&actor.root)
                && let Some(run) = self.runs.get_mut(client)
            {
                run.take(event, batches.entry(*client).or_default());
            }
            for (client, event) in self.inside.shares(event) {
                if let Some(run) = self.runs.get_mut(&client) {
                    run.take(&event, batches.entry(client).or_default());
                }
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
            run.account(counters, missed, news);
        }
    }

    /// Everything generated before was handled: tells each run that waits for it how things stand,
    /// then all who wait.
    pub fn drained(&mut self, drain: Drain) {
        for client in &drain.runs {
            if let Some(run) = self.runs.get_mut(client) {
                run.tell();
            }
        }
        // Whoever asked may be gone.
        let _ = drain.answer.send(Ok(()));
    }
}
