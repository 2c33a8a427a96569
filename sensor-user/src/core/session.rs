//! What is kept for each session: what was lost since it began, and which alerts it has raised.

use std::collections::HashMap;

use foldhash::HashMap as QuickMap;

use crate::event::{Actor, Body, Counters, ProcessKey};
use crate::health::Code;
use crate::lineage::{Lineage, Process};
use crate::names::Unseen;

use super::fetched::Fetched;
use super::{Core, Finding};

/// Alerts of one rule in one session; one more says that the rest is only counted.
pub(super) const ALERTS_OF_A_RULE: usize = 50;
/// How many sessions are kept before those that are over are let go.
const KEPT: usize = 4096;

/// All open sessions, by the process each began with.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: QuickMap<ProcessKey, Session>,
    most: usize,
}

/// A lineage, a CI step in it, or an install in either.
#[derive(Debug, Default)]
pub(super) struct Session {
    root: Option<ProcessKey>,
    /// The accounting when it began.
    pub(super) baseline: Counters,
    pub(super) forks_missed: u64,
    pub(super) late: bool,
    pub(super) io_uring: bool,
    pub(super) gap: bool,
    /// When, in nanoseconds of CLOCK_BOOTTIME.
    pub(super) began: u64,
    /// A process of it had been running before it was watched.
    pub(super) found: bool,
    /// A package's script ran in it.
    pub(super) scripted: bool,
    /// A rule that no exemption silenced said that it opened credentials.
    pub(super) credentials_opened: bool,
    /// What may have told it names unseen.
    pub(super) unseen: Unseen,
    /// Whom its package managers themselves connected to.
    pub(super) fetched: Fetched,
    raised: HashMap<String, Raised>,
}

/// The alerts of one rule.
#[derive(Debug, Default)]
struct Raised {
    /// Alert id of each actor and target.
    ids: HashMap<(String, String), String>,
    /// The alert that counts on.
    rest: Option<String>,
}

/// How a session begins.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beginning {
    /// The lineage, or the CI step, was running before it was watched,
    pub(super) late: bool,
    /// and so was the install.
    pub(super) install_late: bool,
    /// An earlier sensor had watched it.
    pub(super) resumed: bool,
}

/// Which sessions were opened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Began {
    pub(super) lineage: bool,
    pub(super) install: bool,
}

/// What to do with a match.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not seen before in this session.
    New,
    /// The first one over the limit: sent, and the last.
    Last,
    /// A repeat of the alert with this id.
    Repeat(String),
}

impl Sessions {
    /// Opens the sessions of a process where they are not open.
    pub(super) fn open(
        &mut self,
        root: ProcessKey,
        install: Option<ProcessKey>,
        counters: &Counters,
        forks_missed: u64,
        beginning: Beginning,
        time: u64,
    ) -> Began {
        let mut began = Began::default();
        for key in std::iter::once(root).chain(install) {
            self.open.entry(key).or_insert_with(|| {
                let is_lineage = key == root;
                began.lineage |= is_lineage;
                began.install |= Some(key) == install;
                let Beginning {
                    late,
                    install_late,
                    resumed,
                } = beginning;
                Session {
                    root: Some(root),
                    baseline: counters.clone(),
                    forks_missed,
                    late: !resumed
                        && ((late && is_lineage) || (install_late && Some(key) == install)),
                    gap: resumed && (is_lineage || install_late),
                    began: time,
                    ..Session::default()
                }
            });
        }
        began
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn get(&self, key: ProcessKey) -> Option<&Session> {
        self.open.get(&key)
    }

    /// From here on the session's exemptions are void.
    pub(super) fn credentials_opened(&mut self, key: ProcessKey) {
        self.open.entry(key).or_default().credentials_opened = true;
    }

    /// Marks the sessions of a process. Whether that is news.
    pub(super) fn io_uring_used(&mut self, process: &Process) -> bool {
        let mut news = false;
        self.each_of(process, |session| {
            news |= !std::mem::replace(&mut session.io_uring, true);
        });
        news
    }

    /// The install and the lineage that a process is part of.
    pub(super) fn each_of(&mut self, process: &Process, mut note: impl FnMut(&mut Session)) {
        let install = process.context.install.as_ref().map(|install| install.root);
        let install = install.filter(|install| *install != process.root);
        for key in install.into_iter().chain([process.root]) {
            if let Some(session) = self.open.get_mut(&key) {
                note(session);
            }
        }
    }

    /// The sensor was not running for a while.
    pub(super) fn gap(&mut self) {
        for session in self.open.values_mut() {
            session.gap = true;
        }
    }

    /// Totals begin at zero again.
    pub(super) fn counters_restarted(&mut self) {
        for session in self.open.values_mut() {
            session.baseline = Counters::default();
        }
    }

    /// Whether a rule's match is new in its session.
    pub(super) fn judge(
        &mut self,
        key: ProcessKey,
        rule: &str,
        actor: &str,
        target: &str,
        id: &str,
    ) -> Verdict {
        let session = self.open.entry(key).or_default();
        if !session.raised.contains_key(rule) {
            session.raised.insert(rule.to_owned(), Raised::default());
        }
        let raised = session
            .raised
            .get_mut(rule)
            .expect("it was inserted if it was absent");
        let pair = (actor.to_owned(), target.to_owned());
        if let Some(id) = raised.ids.get(&pair) {
            return Verdict::Repeat(id.clone());
        }
        if raised.ids.len() < ALERTS_OF_A_RULE {
            raised.ids.insert(pair, id.to_owned());
            return Verdict::New;
        }
        match &raised.rest {
            Some(id) => Verdict::Repeat(id.clone()),
            None => {
                raised.rest = Some(id.to_owned());
                Verdict::Last
            }
        }
    }

    /// Lets go of sessions none of whose processes is known any more, once there are many.
    pub(super) fn bound(&mut self, lineage: &Lineage) {
        if self.open.len() > self.most.max(KEPT) {
            self.open
                .retain(|_, session| session.root.is_some_and(|root| lineage.has_root(root)));
            // Those that are left may all be alive: not looked at again before there are twice as many.
            self.most = 2 * self.open.len();
        }
    }
}

impl Core {
    /// Makes sure the sessions of an event are open, so that what was lost is counted from there on.
    pub(super) fn open_session(
        &mut self,
        actor: &Actor,
        body: &Body,
        time: u64,
        findings: &mut Vec<Finding>,
    ) {
        let resumed = matches!(body, Body::Found { resumed: true, .. });
        let found = matches!(body, Body::Found { .. });
        // A lineage that begins with an act had begun before the watch.
        let late = actor.process == actor.root
            && !matches!(body, Body::Exec { .. })
            && self.start.root != Some(actor.root)
            && self.lineage.get(actor.root).is_none();
        let forks_missed = self.lineage.forks_missed();
        let process = self.lineage.get(actor.process);
        // The worker above a step may have run since long before: that is no matter of the step's.
        let root = process.map_or(actor.root, |process| process.root);
        let install = process.and_then(|process| Some(process.context.install.as_ref()?.root));
        let began = self.sessions.open(
            root,
            install,
            &self.counters_before,
            forks_missed,
            Beginning {
                late: late || (found && root != actor.root),
                install_late: found && install == Some(actor.process),
                resumed,
            },
            time,
        );
        if began.lineage && late {
            self.tally.started_late();
        }
        let tell = match found {
            // A host may have run many interpreters for long: only an install is worth a word.
            true => began.install && !resumed,
            false => began.lineage && late,
        };
        if tell {
            let cause = match install.and_then(|_| self.lineage.get(actor.process)?.image()) {
                Some(image) => format!(
                    "`{}` (process {}) was running already",
                    crate::alert::escape::terminal(&image.command_line),
                    actor.process.pid
                ),
                None => format!("process {} was running already", actor.process.pid),
            };
            findings.push(self.health(Code::StartedLate, cause, time));
        }
        self.sessions.bound(&self.lineage);
    }
}
