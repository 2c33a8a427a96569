//! What the daemon keeps: alerts, sessions and health, in a bounded log under `/var/lib/pkgwarden`.

use serde::{Deserialize, Serialize};

use crate::alert::report::Report;
use crate::alert::schema::Alert;
use crate::detect::Level;
use crate::health::Health;

/// One thing that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The user whose session it is of; root sees all, everyone else what has their own uid.
    pub owner: u32,
    /// CLOCK_REALTIME in nanoseconds: when it was raised.
    pub at: i64,
    /// What.
    pub record: Record,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named after what they hold")]
pub enum Record {
    Alert(Box<Alert>),
    /// Silenced by a filter or by trust.
    Suppressed(Box<Alert>),
    Health(Box<Health>),
    /// An install session that ended, or as it stands.
    Session(Box<Report>),
}

/// Which entries are wanted; what is absent doesn't matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "named after the options of the verbs")]
pub struct Query {
    pub alerts: bool,
    pub suppressed: bool,
    pub health: bool,
    pub sessions: bool,
    /// CLOCK_REALTIME in nanoseconds.
    pub since: Option<i64>,
    pub min_level: Option<Level>,
    /// An alert's id, or a unique beginning of it.
    pub id: Option<String>,
    /// An install's id.
    pub session: Option<String>,
    pub run_id: Option<String>,
    pub job: Option<String>,
    /// Only this user's.
    pub owner: Option<u32>,
}
