//! What the gate decides, and the page that says why.

use std::collections::HashSet;
use std::ops::ControlFlow;

use jiff::Timestamp;

use crate::alert::page::{Page, Style, colour};
use crate::alert::report::Report;
use crate::alert::row::command_line;
use crate::alert::schema::Alert;
use crate::alert::words::level_name;
use crate::cli::records::End;
use crate::cli::sessions::Latest;
use crate::cli::since::Since;
use crate::detect::Level;
use crate::health::Health;
use crate::state::{Entry, Record};

const WIDTH: usize = 80;

/// Named one by one; the others are counted.
const NAMED: usize = 20;

/// What is judged.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) fail_on: Level,
    pub(super) since: Option<Since>,
    pub(super) session: Option<String>,
    pub(super) run: Option<String>,
}

/// What was found in the selection.
#[derive(Debug)]
pub(super) struct Verdict {
    selection: Selection,
    /// Of the level asked for or above, newest first.
    findings: Vec<Alert>,
    seen: HashSet<String>,
    below: u64,
    latest: Latest,
    sessions: Vec<Report>,
    open: u64,
    /// About the sensor itself, anywhere in the time that was asked for.
    health: Vec<Health>,
    unseen: Vec<String>,
    /// Whose sessions these are, where not everybody's.
    viewer: Option<u32>,
}

impl Verdict {
    pub(super) fn new(selection: Selection) -> Self {
        Self {
            selection,
            findings: Vec::new(),
            seen: HashSet::new(),
            below: 0,
            latest: Latest::default(),
            sessions: Vec::new(),
            open: 0,
            health: Vec::new(),
            unseen: Vec::new(),
            viewer: None,
        }
    }

    /// Only what this user may see is looked at.
    pub(super) fn seen_by(&mut self, uid: u32) {
        self.viewer = Some(uid).filter(|uid| *uid != 0);
    }

    /// What happens now is watched by nobody.
    pub(super) fn missing_daemon(&mut self) {
        self.unseen
            .push("the daemon is not running (systemctl status pkgwarden)".to_owned());
    }

    /// Takes the next entry of the selection, newest first.
    pub(super) fn take(&mut self, entry: Entry) -> ControlFlow<()> {
        match entry.record {
            Record::Alert(alert) if self.seen.insert(alert.id.clone()) => {
                if alert.level >= self.selection.fail_on {
                    self.findings.push(*alert);
                } else {
                    self.below += 1;
                }
            }
            Record::Alert(_) | Record::Suppressed(_) => {}
            // What was lost of one session its report says; these are about all of them.
            Record::Health(health) => {
                if health.code.leaves_a_gap() {
                    self.health.push(*health);
                }
            }
            Record::Session(_) => self.sessions.extend(self.latest.take(entry)),
        }
        ControlFlow::Continue(())
    }

    /// All entries were taken.
    pub(super) fn end(&mut self, end: End) {
        self.open = end.open_sessions;
        if !end.complete {
            self.unseen.extend(end.troubles);
            if self.unseen.is_empty() {
                let reason = "the daemon says that something may be missing".to_owned();
                self.unseen.push(reason);
            }
        }
        for health in std::mem::take(&mut self.health) {
            if self.concerns(&health) {
                self.unseen
                    .push(format!("{} ({})", health.cause, health.time));
            }
        }
        for report in &self.sessions {
            if !report.completeness.complete {
                self.unseen.push(session_unseen(report));
            }
        }
        let nothing = self.sessions.is_empty() && self.seen.is_empty();
        match (&self.selection.session, &self.selection.run) {
            (Some(id), _) if nothing => {
                self.unseen
                    .push(format!("no install session {id} is recorded"));
            }
            (_, Some(id)) if nothing => {
                self.unseen.push(format!("nothing of run {id} is recorded"));
            }
            _ => {}
        }
    }

    /// Whether it happened while something of the selection ran. One session has its own times; of a
    /// run it is not known when it began.
    fn concerns(&self, health: &Health) -> bool {
        let (Some(_), [session]) = (&self.selection.session, self.sessions.as_slice()) else {
            return true;
        };
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let since = health.since.as_deref().unwrap_or(&health.time);
        let times = (time(&session.started), time(&session.ended));
        match (times, time(since), time(&health.time)) {
            ((Some(started), Some(ended)), Some(since), Some(until)) => {
                since <= ended && until >= started
            }
            _ => true,
        }
    }

    pub(super) fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    pub(super) fn is_incomplete(&self) -> bool {
        !self.unseen.is_empty()
    }

    /// For a person.
    pub(super) fn page(&self, style: Style) -> String {
        let mut page = Page::new(WIDTH, style);
        let scope = self.scope();
        let level = level_name(self.selection.fail_on);
        let count = match self.findings.len() {
            0 => "no alert".to_owned(),
            1 => "1 alert".to_owned(),
            many => format!("{many} alerts"),
        };
        let found = format!("{count} of level {level} or above {scope}");
        let (word, colour_of, text) = if self.has_findings() {
            ("FINDINGS", colour(Level::High), found)
        } else if self.is_incomplete() {
            let text = format!("{found}, but some may have been missed");
            ("INCOMPLETE", colour(Level::Medium), text)
        } else {
            ("CLEAN", "32", found)
        };
        page.headline(word, colour_of, &text);
        for alert in self.findings.iter().take(NAMED) {
            page.item(level_name(alert.level), &alert.summary);
            page.item("", &format!("pkgwarden explain {}", alert.id));
        }
        if self.findings.len() > NAMED {
            let more = self.findings.len() - NAMED;
            page.item("more", &format!("{more}, which `pkgwarden alerts` shows"));
        }
        for reason in self.unseen.iter().take(NAMED) {
            page.item("unseen", reason);
        }
        if self.unseen.len() > NAMED {
            page.item("unseen", &format!("and {} more", self.unseen.len() - NAMED));
        }
        if self.below > 0 {
            page.item("below", &format!("{} of a lower level", self.below));
        }
        page.item("installs", &self.installs());
        if let Some(uid) = self.viewer {
            let only = format!(
                "only what uid {uid} ran was looked at; an install under sudo is root's, ask as root for it"
            );
            page.item("of", &only);
        }
        page.finish()
    }

    fn scope(&self) -> String {
        let since = self.selection.since.map(Since::shown);
        let since = since.map(|since| format!("since {since}"));
        let of = match (&self.selection.session, &self.selection.run) {
            (Some(id), _) => Some(format!("in session {id}")),
            (_, Some(id)) => Some(format!("in run {id}")),
            _ => None,
        };
        let parts: Vec<String> = of.into_iter().chain(since).collect();
        parts.join(" ")
    }

    fn installs(&self) -> String {
        let count = match self.sessions.len() {
            1 => "1 session".to_owned(),
            many => format!("{many} sessions"),
        };
        match self.open {
            0 => format!("{count} recorded"),
            open => format!("{count} recorded, of which {open} still run"),
        }
    }
}

fn session_unseen(report: &Report) -> String {
    let install = report.installs.first();
    let command = match install {
        Some(install) => install.command.clone(),
        None => command_line(&report.command),
    };
    let command = crate::alert::limit::cut(&command, 200);
    let completeness = &report.completeness;
    let mut reasons = Vec::new();
    if completeness.lost > 0 {
        reasons.push(format!("{} events were lost", completeness.lost));
    }
    if completeness.started_late {
        reasons.push("the watch began after it".to_owned());
    }
    reasons.extend(completeness.degraded.iter().cloned());
    match reasons.is_empty() {
        true => format!("not everything of `{command}`"),
        false => format!("not everything of `{command}`: {}", reasons.join("; ")),
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
