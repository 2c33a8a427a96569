//! The install sessions of a daemon: each counted on its own, and told when it is over. A run is one
//! session, whose report is the watch's own.

use std::collections::HashSet;
use std::rc::Rc;

use foldhash::HashMap;

use crate::alert::report::Report;
use crate::attribution::CiStep;
use crate::event::ProcessKey;
use crate::lineage::{InstallSession, Lineage, Process};

use super::moment::Moment;
use super::tally::Tally;
use super::{Core, Finding};

/// How long what an installer left behind is waited for before its session is told.
const LINGER: u64 = 10_000_000_000;
/// How often it is looked for what is over.
const STEP: u64 = 250_000_000;
/// More at a time are told as they stand, the oldest first.
const OPEN: usize = 256;

/// All that are open.
#[derive(Debug, Default)]
pub(super) struct Installs {
    open: HashMap<ProcessKey, Open>,
    looked: u64,
}

#[derive(Debug)]
struct Open {
    install: Rc<InstallSession>,
    ci: Option<Rc<CiStep>>,
    tally: Tally,
    /// Since when the installer itself has been gone.
    ended: Option<u64>,
    /// It was told once, when it had come so far.
    told: Option<u64>,
}

impl Installs {
    /// A program was started or found: its install is opened, if it is new.
    pub(super) fn entered(&mut self, process: &Process) {
        let context = &process.context;
        let Some(install) = &context.install else {
            return;
        };
        self.open.entry(install.root).or_insert_with(|| Open {
            install: Rc::clone(install),
            ci: context.ci.clone(),
            tally: Tally::of_install(install, process),
            ended: None,
            told: None,
        });
    }

    /// The tally of a process's install.
    pub(super) fn of(&mut self, process: &Process, time: u64) -> Option<&mut Tally> {
        let install = process.context.install.as_ref()?;
        let open = self.open.get_mut(&install.root)?;
        open.tally.at(time);
        Some(&mut open.tally)
    }

    /// Those to be told now; what is over is let go with it.
    fn due(&mut self, lineage: &Lineage, now: u64) -> Vec<(Open, bool)> {
        if now < self.looked.saturating_add(STEP) || self.open.is_empty() {
            return Vec::new();
        }
        self.looked = now;
        for (root, open) in &mut self.open {
            let gone = lineage.get(*root).is_none_or(Process::has_ended);
            open.ended = gone.then_some(open.ended.unwrap_or(now));
        }
        let mut alive = HashSet::new();
        if self.open.values().any(|open| open.ended.is_some()) {
            alive = lineage.installs_alive();
        }
        let over = |root: &ProcessKey, open: &Open| open.ended.is_some() && !alive.contains(root);
        let mut due: Vec<(Open, bool)> = self
            .open
            .extract_if(|root, open| over(root, open))
            .map(|(_, open)| (open, true))
            .collect();
        while self.open.len() > OPEN {
            let oldest = self.open.iter().min_by_key(|(root, open)| {
                (open.ended.unwrap_or(u64::MAX), open.install.started, **root)
            });
            let Some(root) = oldest.map(|(root, _)| *root) else {
                break;
            };
            due.extend(self.open.remove(&root).map(|open| (open, true)));
        }
        // What runs on is told as it stands, and once more at its end.
        for open in self.open.values_mut() {
            let lingered = open.ended.is_some_and(|ended| now >= ended + LINGER);
            if lingered && open.told.is_none() {
                let copy = Open {
                    install: Rc::clone(&open.install),
                    ci: open.ci.clone(),
                    tally: open.tally.clone(),
                    ended: open.ended,
                    told: None,
                };
                open.told = Some(open.tally.weight());
                due.push((copy, false));
            }
        }
        due.retain(|(open, last)| !last || open.told != Some(open.tally.weight()));
        due.sort_by_key(|(open, _)| open.install.root);
        due
    }
}

impl Core {
    /// A program was started or found.
    pub(super) fn entered(&mut self, process: &Process, time: u64) {
        self.tally.executed();
        self.tally.scope_entered(process);
        if self.start.root.is_none() {
            self.installs.entered(process);
            if let Some(tally) = self.installs.of(process, time) {
                tally.executed();
                tally.scope_entered(process);
            }
        }
    }

    /// Notes something of an act: on the watch, and on the install it is part of.
    pub(super) fn tallies(&mut self, moment: &Moment<'_>, note: impl Fn(&mut Tally)) {
        note(&mut self.tally);
        if let Some(tally) = self.installs.of(moment.process, moment.time) {
            note(tally);
        }
    }

    pub(super) fn of_process(&mut self, process: ProcessKey, time: u64, note: impl Fn(&mut Tally)) {
        note(&mut self.tally);
        if let Some(process) = self.lineage.get(process)
            && let Some(tally) = self.installs.of(process, time)
        {
            note(tally);
        }
    }

    /// Tells install sessions that are over.
    pub(super) fn end_sessions(&mut self, time: u64, findings: &mut Vec<Finding>) {
        let due = self.installs.due(&self.lineage, time);
        if due.is_empty() {
            return;
        }
        let mut alive = self.alive_by_install();
        for (open, _) in &due {
            let alive = alive.remove(&open.install.root).unwrap_or_default();
            let report = self.report_of(open, alive);
            findings.push(Finding::Session(Box::new(report)));
        }
    }

    /// Reports of the install sessions that are not over, as they stand, oldest first.
    pub fn open_sessions(&self) -> Vec<Report> {
        let mut open: Vec<_> = self.installs.open.values().collect();
        open.sort_by_key(|open| (open.install.started, open.install.root));
        let mut alive = self.alive_by_install();
        let report = |open: &Open| {
            let alive = alive.remove(&open.install.root).unwrap_or_default();
            self.report_of(open, alive)
        };
        open.into_iter().map(report).collect()
    }

    /// How many install sessions are not over.
    pub fn open_count(&self) -> u64 {
        self.installs.open.len() as u64
    }

    fn alive_by_install(&self) -> HashMap<ProcessKey, Vec<&Process>> {
        let mut alive: HashMap<ProcessKey, Vec<&Process>> = HashMap::default();
        for process in self.lineage.alive(None) {
            if let Some(install) = &process.context.install {
                alive.entry(install.root).or_default().push(process);
            }
        }
        alive
    }

    fn report_of(&self, open: &Open, alive: Vec<&Process>) -> Report {
        let root = open.install.root;
        Report {
            ci: open.ci.as_ref().map(|ci| ci.record.clone()),
            ..open.tally.report(
                alive,
                self.host_clock(),
                &self.users,
                self.completeness_of(root),
            )
        }
    }
}
