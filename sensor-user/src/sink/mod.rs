//! Where alerts and health records go. A sink never blocks for long, never panics and never stops
//! the sensor: what it could not deliver it says, and goes on.

mod annotation;
mod journald;
mod lane;
mod markdown;
mod message;
mod native;
mod ndjson;
mod ocsf;
pub mod outbox;
mod session;
mod table;
mod text;

use std::io;

pub use annotation::Annotations;
pub use journald::{JOURNAL_SOCKET, branch_message_id};
pub use lane::Lane;
pub use markdown::markdown;
pub use message::{MESSAGE_BYTES, message};
pub use ndjson::Ndjson;
pub use ocsf::ocsf;
pub use outbox::{Limits as OutboxLimits, Notice, Outbox};
pub use session::session;
pub use table::table;
pub use text::{Style, Text};

use crate::alert::escape;
use crate::alert::schema::Alert;
use crate::health::Health;

/// What a stream carries.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// A finding.
    Alert(&'a Alert),
    /// The sensor about itself.
    Health(&'a Health),
}

impl Record<'_> {
    /// As one line of JSON, without the line's end.
    pub fn json(&self) -> String {
        match self {
            Record::Alert(alert) => escape::json(alert),
            Record::Health(health) => escape::json(health),
        }
    }
}

/// Why a record was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// ENOSPC or EDQUOT.
    #[error(
        "no room left for `{output}`: alerts are missing there; make room, the next ones will be written"
    )]
    Full {
        /// What it was opened as.
        output: String,
    },
    /// More waits than may.
    #[error(
        "`{output}` takes nothing: its reader or disk is too slow, and alerts are missing there"
    )]
    Slow {
        /// What it was opened as.
        output: String,
    },
    /// Any other failed write.
    #[error("can't write to `{output}`: {source}; alerts are missing there")]
    Write {
        /// What it was opened as.
        output: String,
        /// What the kernel said.
        source: io::Error,
    },
}
