//! The pure pipeline: events in, findings and a report out.
//!
//! Goals: no I/O, no clock, no randomness, so that a replayed capture gives the same alerts byte for
//! byte; bounded memory whatever watched code does; an alert the moment its event is handled.
//!
//! Events must come in (time, cpu, sequence) order. What the core can't know by itself (a package's
//! manifest, a container's name, the names of users) comes as events too.

mod act;
mod assemble;
mod chains;
mod completeness;
mod connections;
mod exemption;
mod fetched;
mod health;
mod hearing;
mod installs;
mod modes;
mod moment;
mod peer;
mod session;
mod subject;
mod tally;

#[cfg(test)]
mod tests;

use std::rc::Rc;

use foldhash::HashMap;

use crate::alert::report::Report;
use crate::alert::schema::{self, Alert, Container, EventWord};
use crate::detect::{RuleSet, Subject, lists};
use crate::event::{self, Actor, Body, Counters, Event, Start};
use crate::health::Health;
use crate::lineage::Lineage;
use crate::names::{Channel, PublicResolvers, Questions, Resolvers, Responders, Suffixes, Table};

pub use crate::names::Trust;

use act::{Act, Object};
use chains::Chains;
use health::Told;
use installs::Installs;
use modes::Modes;
use moment::Moment;
use session::Sessions;
use subject::Subjects;
use tally::Tally;

/// What the core is given.
#[derive(Debug)]
pub struct Settings {
    /// What to look for.
    pub rules: RuleSet,
    /// Peers that callbacks are expected to; see [`Trust`] for what that means.
    pub trust: Trust,
}

/// What handling an event gave.
#[derive(Debug, Clone)]
pub enum Finding {
    /// To be sent.
    Alert(Box<Alert>),
    /// A rule matched and a filter or `--trust` silenced it.
    Suppressed(Box<Alert>),
    /// The sensor about itself.
    Health(Health),
    /// An install session of a daemon's is over, or its installer is and something of it runs on.
    Session(Box<Report>),
}

impl From<&event::Host> for schema::Host {
    fn from(host: &event::Host) -> Self {
        Self {
            name: host.name.clone(),
            id: host.id.clone(),
            boot_id: host.boot_id.clone(),
        }
    }
}

/// How many containers are remembered.
const CONTAINERS: usize = 4096;

/// The pipeline and everything it knows.
#[derive(Debug)]
pub struct Core {
    rules: Rc<RuleSet>,
    trust: Trust,
    /// Its hosts.
    expected: Suffixes,
    package_hosts: Suffixes,
    public_resolvers: PublicResolvers,
    names: Table,
    questions: Questions,
    resolvers: Resolvers,
    responders: Responders,
    channel: Channel,
    lineage: Lineage,
    subjects: Subjects,
    sessions: Sessions,
    tally: Tally,
    installs: Installs,
    modes: Modes,
    chains: Chains,
    start: Rc<Start>,
    started: bool,
    /// Something took parts of the sensor away: from then on nothing is seen whole.
    tampered: bool,
    counters: Counters,
    /// The snapshot before that. A batch's snapshot comes before its events, so a session that
    /// begins in it begins here: too early by a little, never too late.
    counters_before: Counters,
    lost_told: Told,
    refused_told: Told,
    containers: HashMap<u64, Rc<Container>>,
    users: HashMap<u32, Rc<str>>,
}

impl Core {
    /// Nothing seen yet.
    pub fn new(settings: Settings) -> Self {
        Self::sharing(Rc::new(settings.rules), settings.trust)
    }

    /// With rules that other cores have too: compiling them is most of a core's making.
    pub fn sharing(rules: Rc<RuleSet>, trust: Trust) -> Self {
        Self {
            rules,
            expected: trust.hosts.iter().collect(),
            trust,
            package_hosts: lists::trusted_hosts().into_iter().collect(),
            public_resolvers: lists::public_resolvers().into_iter().collect(),
            names: Table::default(),
            questions: Questions::default(),
            resolvers: Resolvers::default(),
            responders: Responders::default(),
            channel: Channel::default(),
            lineage: Lineage::default(),
            subjects: Subjects::default(),
            sessions: Sessions::default(),
            tally: Tally::default(),
            installs: Installs::default(),
            modes: Modes::default(),
            chains: Chains::default(),
            start: Rc::default(),
            started: false,
            tampered: false,
            counters: Counters::default(),
            counters_before: Counters::default(),
            lost_told: Told::default(),
            refused_told: Told::default(),
            containers: HashMap::default(),
            users: HashMap::default(),
        }
    }

    /// Takes the next event. What it gives is in the order of the loaded rules.
    pub fn handle(&mut self, event: &Event) -> Vec<Finding> {
        self.handle_seen(event, &mut |_| ())
    }

    /// The same, and shows each act of the event as rules are asked about it.
    pub fn handle_seen(&mut self, event: &Event, seen: &mut dyn FnMut(&Subject)) -> Vec<Finding> {
        let time = event.time;
        self.tally.at(time);
        let mut findings = Vec::new();
        // What a found process is part of is known only once it is placed.
        if let Some(actor) = event.body.actor()
            && !matches!(event.body, Body::Found { .. })
        {
            self.open_session(actor, &event.body, time, &mut findings);
        }
        match &event.body {
            Body::Fork { actor, child } => self.lineage.fork(actor, *child, time),
            Body::Exec { actor, exec } => {
                let process = self.lineage.exec(actor, exec, time).clone();
                self.entered(&process, time);
                self.scripted(&process);
                // An exec may have begun an install session.
                self.open_session(actor, &event.body, time, &mut findings);
            }
            Body::Found {
                actor,
                exec,
                parent,
                step,
                ..
            } => {
                let found = self.lineage.found(actor, exec, *parent, *step, time);
                let process = found.clone();
                self.entered(&process, time);
                self.open_session(actor, &event.body, time, &mut findings);
                self.sessions
                    .each_of(&process, |session| session.found = true);
            }
            Body::Exit { actor, .. } => {
                self.of_process(actor.process, time, |tally| {
                    tally.connections.forget(actor.process);
                });
                self.lineage.exit(actor, time);
            }
            Body::ExecFailed { .. } => self.tally.exec_failed(),
            Body::ConnectResult {
                actor,
                errno,
                cookie,
            } => {
                self.connect_ended(actor, *cookie, *errno);
                self.of_process(actor.process, time, |tally| {
                    tally.connections.ended(actor, *cookie, *errno);
                });
            }
            Body::Dns { actor, dns } => {
                if !self.hear(actor, dns, time) {
                    return findings;
                }
            }
            Body::Listen { socket, .. } => self.listens(socket),
            Body::Resolver { about, resolver } => self.resolver_read(*about, resolver, time),
            Body::RawSocket { actor, .. } => self.may_forge(actor, time),
            Body::Module { actor, path } => self.lineage.module(actor, path, time),
            Body::IoUring { actor, .. } => self.io_uring(actor, time, &mut findings),
            Body::Metadata { about, manifest } => {
                if self.lineage.manifest(*about, manifest) {
                    self.subjects.forget();
                }
            }
            Body::Container {
                cgroup,
                id,
                runtime,
                name,
                image,
            } => {
                if self.containers.len() >= CONTAINERS {
                    self.containers.clear();
                }
                let container = Container {
                    id: id.clone(),
                    runtime: runtime.clone(),
                    name: name.clone(),
                    image: image.clone(),
                    devcontainer: None,
                };
                self.containers.insert(*cgroup, Rc::new(container));
            }
            Body::Start(start) => self.begin(start, time, &mut findings),
            Body::Clock { wall_offset } => self.clock_moved(*wall_offset, time, &mut findings),
            Body::Tampered { missing } => self.tampered(missing, time, &mut findings),
            Body::Counters(counters) => {
                self.count(counters, time, &mut findings);
                self.end_sessions(time, &mut findings);
            }
            Body::CommandEnded { .. }
            | Body::Connect { .. }
            | Body::Send { .. }
            | Body::Open { .. }
            | Body::Rename { .. }
            | Body::Link { .. }
            | Body::Unlink { .. }
            | Body::Chmod { .. }
            | Body::StartupFile { .. } => {}
            Body::End => self.last_words(time, &mut findings),
        }
        if let Some(actor) = event.body.actor() {
            for mut act in act::acts(&event.body) {
                self.modes.see(&mut act);
                findings.extend(self.ask(actor, &act, time, seen));
            }
        }
        if let Body::Exec { actor, .. } = &event.body {
            self.lineage.settle(actor.process);
        }
        findings
    }

    /// Asks the rules about one act.
    fn ask(
        &mut self,
        actor: &Actor,
        act: &Act<'_>,
        time: u64,
        seen: &mut dyn FnMut(&Subject),
    ) -> Vec<Finding> {
        let process = self.lineage.acting(actor, time).clone();
        let moment = Moment {
            actor,
            process: &process,
            container: self.containers.get(&actor.cgroup).cloned(),
            user: self.users.get(&actor.uid).cloned(),
            peer: self.other_end(&act.object, &process, time),
            target: self.opened_process(&act.object),
            shape: None,
            time,
        };
        let shape = match &act.object {
            Object::Question(_, question) => {
                Some(self.channel.asked(moment.session(), question, time))
            }
            _ => None,
        };
        let moment = Moment { shape, ..moment };
        let clock = moment::Clock { start: &self.start };
        let mut subject = self.subjects.of(&moment, clock);
        act.fill(&mut subject, &moment);
        seen(&subject);
        let start = self.start.clone();
        self.tallies(&moment, |tally| tally.acted(act, &moment, &start));
        let rules = Rc::clone(&self.rules);
        let mut findings = Vec::new();
        let mut hits = rules.evaluate(&subject);
        if let Some(field) = act.only_for() {
            hits.retain(|hit| hit.asked(field));
        }
        self.exempt(act, &moment, &mut hits);
        for hit in hits {
            let raised = self.raise(act, &moment, &subject, &hit);
            let chained = self.chain(act, &moment, &subject, &hit, raised.as_ref());
            findings.extend(raised);
            findings.extend(chained);
        }
        if let Object::Peer(socket) = &act.object {
            self.note_fetched(socket, &process, &moment.peer);
            let waits = act.word == EventWord::Connect;
            self.note_resolver(actor, socket, waits, time);
        }
        findings
    }

    /// Asks these rules from here on.
    pub fn renew(&mut self, rules: Rc<RuleSet>, trust: Trust) {
        self.renew_chains(&rules);
        self.rules = rules;
        self.expected = trust.hosts.iter().collect();
        self.trust = trust;
    }

    /// What the whole watch came to. `exit` is the caller's to fill in.
    pub fn report(&self) -> Report {
        let completeness = self.completeness_of_watch();
        let alive = self.lineage.alive(self.start.root);
        self.tally
            .report(alive, self.host_clock(), &self.users, completeness)
    }

    /// The CI step that a process is part of, where the step is a session of its own.
    pub fn step_of(&self, process: event::ProcessKey) -> Option<event::ProcessKey> {
        let process = self.lineage.get(process)?;
        (process.root != process.lineage).then_some(process.root)
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.rules.rules().len()
    }

    /// Execs that failed; they start nothing, so no rule sees them.
    pub fn failed_execs(&self) -> u64 {
        self.tally.failed_execs()
    }

    fn host(&self) -> schema::Host {
        (&self.start.host).into()
    }

    fn host_clock(&self) -> moment::Clock<'_> {
        moment::Clock { start: &self.start }
    }
}
