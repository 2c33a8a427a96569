//! What the daemon keeps: alerts, sessions and health, in a bounded log under `/var/lib/pkgwarden`.
//!
//! Goals: at most the record being written is lost, whenever the machine or the daemon stops; a
//! damaged, full, read-only or future log never stops the daemon; readers need no lock.
//!
//! - [`Store`]: the one writer.
//! - [`read`], [`scan`], [`Follow`]: readers, newest first or as it comes.
//! - [`Snapshot`]: the sessions that are open, for a daemon that is started again.
//! - [`Folder`]: where all of it lies, and how its files are opened.
//!
//! The log is segments, `log-00000001.ndjson` and so on, of lines `<crc32> <json>`. A segment's first
//! line names the format. The oldest segments go when there is too much, or when they are too old.

mod error;
mod folder;
mod follow;
mod line;
mod read;
mod recover;
mod segment;
mod select;
mod snapshot;
mod store;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::alert::report::Report;
use crate::alert::schema::Alert;
use crate::detect::Level;
use crate::health::Health;

pub use error::{ReadError, StoreError, Trouble, Troubles};
pub use folder::Folder;
pub use follow::Follow;
pub use read::{read, scan};
pub use snapshot::{Member, OpenSession, Snapshot};
pub use store::{Limits, Store};

/// Where the daemon keeps it.
pub const FOLDER: &str = "/var/lib/pkgwarden";

/// One thing that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The user whose session it is of; 0 for what is of none. See [`Entry::is_for`].
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
    /// Only what this user may see.
    pub viewer: Option<u32>,
}

impl Entry {
    /// Whether a user may see it: what is of their own, and what all sessions suffered from. Root sees
    /// all.
    pub fn is_for(&self, uid: u32) -> bool {
        uid == 0
            || uid == self.owner
            || matches!(&self.record, Record::Health(health) if health.code.leaves_a_gap())
    }
}
