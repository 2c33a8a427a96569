//! Which entries a query wants.

use serde_json::Value;

use super::line::{Head, Kind};
use super::{Entry, Query, Record};
use crate::alert::escape;
use crate::alert::report::Report;
use crate::alert::schema::{Alert, Ci};

impl Query {
    /// Whether this is one of them. A level and an id are asked of what has one: `min_level` leaves
    /// neither health nor sessions out, a session has the ids of its alerts, and health is of no session
    /// and no run.
    pub fn wants(&self, entry: &Entry) -> bool {
        self.wants_head(&Head {
            owner: entry.owner,
            at: entry.at,
            kind: kind(&entry.record),
        }) && self.viewer.is_none_or(|uid| entry.is_for(uid))
            && match &entry.record {
                Record::Alert(alert) | Record::Suppressed(alert) => self.wants_alert(alert),
                Record::Health(health) => {
                    let id = self.id.as_deref();
                    id.is_none_or(|id| health.id.starts_with(id))
                }
                Record::Session(report) => self.wants_session(report),
            }
    }

    pub(super) fn wants_head(&self, head: &Head) -> bool {
        let kind = match head.kind {
            Kind::Alert => self.alerts,
            Kind::Suppressed => self.suppressed,
            Kind::Health => self.health,
            Kind::Session => self.sessions,
        };
        kind && self.since.is_none_or(|since| head.at >= since)
            && self.viewer.is_none_or(|uid| {
                // Of health it depends on what it says.
                uid == 0 || uid == head.owner || head.kind == Kind::Health
            })
    }

    fn wants_alert(&self, alert: &Alert) -> bool {
        let install = alert.install.as_ref().map(|install| install.id.as_str());
        self.min_level.is_none_or(|level| alert.level >= level)
            && self.id.as_deref().is_none_or(|id| alert.id.starts_with(id))
            && is(self.session.as_deref(), install)
            && self.wants_ci(alert.ci.as_ref())
    }

    fn wants_session(&self, report: &Report) -> bool {
        let id = self.id.as_deref();
        let session = self.session.as_deref();
        id.is_none_or(|id| report.alerts.iter().any(|alert| alert.starts_with(id)))
            && session.is_none_or(|id| report.installs.iter().any(|install| install.id == id))
            && self.wants_ci(report.ci.as_ref())
    }

    fn wants_ci(&self, ci: Option<&Ci>) -> bool {
        let run = ci.and_then(|ci| ci.run_id.as_deref());
        let job = ci.and_then(|ci| ci.job.as_deref());
        is(self.run_id.as_deref(), run) && is(self.job.as_deref(), job)
    }

    /// Texts that the JSON of every wanted entry of this kind holds: most lines need not be read.
    pub(super) fn needles(&self, kind: Kind) -> Vec<String> {
        let of_session = match kind {
            Kind::Health => [None; 3],
            Kind::Alert | Kind::Suppressed | Kind::Session => {
                [&self.session, &self.run_id, &self.job].map(Option::as_ref)
            }
        };
        let texts = self.id.iter().chain(of_session.into_iter().flatten());
        texts
            .map(|text| {
                // As it stands in a line, without the quotes.
                let json = escape::json(&Value::from(text.as_str()));
                json[1..json.len() - 1].to_owned()
            })
            .collect()
    }
}

fn is(wanted: Option<&str>, found: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| found == Some(wanted))
}

fn kind(record: &Record) -> Kind {
    match record {
        Record::Alert(_) => Kind::Alert,
        Record::Suppressed(_) => Kind::Suppressed,
        Record::Health(_) => Kind::Health,
        Record::Session(_) => Kind::Session,
    }
}
