//! `pkgwarden.session/1`: what one watched command did, whether or not it raised an alert.

#![expect(missing_docs, reason = "docs/alerts.md describes every key")]

use std::collections::BTreeMap;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackageRun {
    pub package: Package,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
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
