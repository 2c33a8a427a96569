//! `pkgwarden.session/1`: what one watched command did, whether or not it raised an alert.

#![expect(missing_docs, reason = "docs/alerts.md describes every key")]

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{Ci, Completeness, Install, Outcome, Package, ProcessShort};

/// The value of `schema` in every report.
pub const SCHEMA: &str = "pkgwarden.session/1";

/// The report of one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always `pkgwarden.session/1`.
    pub schema: String,
    pub command: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// The CI job it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<Ci>,
    pub installs: Vec<Install>,
    pub packages: Vec<PackageRun>,
    /// Hosts that the package managers were told to use, as read before any script ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<Registry>,
    pub alerts_by: AlertsBy,
    /// Execs seen.
    pub processes: u64,
    pub connections: Vec<Connection>,
    /// Written outside the project, of those the rules watch.
    pub files_outside_project: Vec<String>,
    /// Alert ids, in the order raised.
    pub alerts: Vec<String>,
    /// Repeats of an alert, which were counted and not sent again, by alert id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repeats: BTreeMap<String, u64>,
    /// Suppressed alerts by filter.
    pub suppressed: BTreeMap<String, u64>,
    pub still_running: Vec<ProcessShort>,
    pub completeness: Completeness,
    pub started: String,
    pub ended: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    pub decided_by: DecidedBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    Command,
    Findings,
    Incomplete,
    Setup,
}

/// A package whose scripts ran.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PackageRun {
    pub package: Package,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
}

/// A registry or proxy, and where it is configured.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Registry {
    pub host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub source: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertsBy {
    pub level: BTreeMap<String, u64>,
    pub branch: BTreeMap<String, u64>,
}

/// One destination with one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub transport: String,
    pub class: String,
    pub outcome: Outcome,
    pub count: u64,
}

impl Report {
    /// This report as the second part of a session whose first part an earlier sensor told. Sums stay
    /// sums; what was learnt last holds.
    pub fn continuing(mut self, earlier: &Report) -> Self {
        self.command.clone_from(&earlier.command);
        self.started.clone_from(&earlier.started);
        self.ci = self.ci.or_else(|| earlier.ci.clone());
        self.processes += earlier.processes;
        for (sums, before) in [
            (&mut self.alerts_by.level, &earlier.alerts_by.level),
            (&mut self.alerts_by.branch, &earlier.alerts_by.branch),
            (&mut self.repeats, &earlier.repeats),
            (&mut self.suppressed, &earlier.suppressed),
        ] {
            for (key, count) in before {
                *sums.entry(key.clone()).or_default() += count;
            }
        }
        let known = |connection: &&Connection| {
            let same = |mine: &Connection| Connection {
                count: 0,
                ..mine.clone()
            };
            !self
                .connections
                .iter()
                .any(|mine| same(mine) == same(connection))
        };
        let more: Vec<_> = earlier.connections.iter().filter(known).cloned().collect();
        for mine in &mut self.connections {
            let before = earlier.connections.iter().find(|theirs| {
                Connection {
                    count: mine.count,
                    ..(*theirs).clone()
                } == *mine
            });
            mine.count += before.map_or(0, |theirs| theirs.count);
        }
        self.connections.extend(more);
        self.packages = union(&earlier.packages, self.packages);
        self.registries = union(&earlier.registries, self.registries);
        self.files_outside_project =
            union(&earlier.files_outside_project, self.files_outside_project);
        self.alerts = union(&earlier.alerts, self.alerts);
        let (now, before) = (&mut self.completeness, &earlier.completeness);
        now.generated += before.generated;
        now.delivered += before.delivered;
        now.filtered += before.filtered;
        now.lost += before.lost;
        for (kind, count) in &before.lost_by_kind {
            *now.lost_by_kind.entry(kind.clone()).or_default() += count;
        }
        now.degraded = union(&before.degraded, std::mem::take(&mut now.degraded));
        now.started_late |= before.started_late;
        now.complete = false;
        self
    }
}

/// What was there before, then what is new.
fn union<T: Clone + Eq + Hash>(before: &[T], now: Vec<T>) -> Vec<T> {
    let known: HashSet<&T> = before.iter().collect();
    let new: Vec<T> = now.into_iter().filter(|one| !known.contains(one)).collect();
    before.iter().cloned().chain(new).collect()
}

#[cfg(test)]
mod tests {
    use crate::alert::sample;

    #[test]
    fn the_second_part_of_a_session_adds_to_the_first_and_is_not_complete() {
        let first = sample::report();
        let mut second = sample::report();
        second.started = "2026-01-02T03:05:00.000000000Z".into();
        second.alerts = vec!["another".into()];
        second.connections[0].port = Some(80);
        let whole = second.continuing(&first);
        assert_eq!(whole.started, first.started);
        assert_eq!(whole.processes, 2 * first.processes);
        assert_eq!(whole.alerts, [first.alerts[0].clone(), "another".into()]);
        assert_eq!(whole.alerts_by.level["high"], 2);
        assert_eq!(whole.connections.len(), 2);
        assert_eq!(whole.packages.len(), 1);
        assert!(!whole.completeness.complete);
        let twice = sample::report().continuing(&first);
        assert_eq!(twice.connections[0].count, 4);
    }
}
