//! The daemon's control socket: `run`, `check`, `alerts` and `sessions` talk to it.

use serde::{Deserialize, Serialize};

use crate::state::Query;

/// Where the daemon listens.
pub const SOCKET: &str = "/run/pkgwarden/control";

/// The first line of a client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A command is to be watched: the lines of [`crate::cli`]'s `run` follow.
    Run {},
    /// Entries, newest first, then the end. With `drain`, only after every event generated before the
    /// request was handled.
    Query {
        /// Which.
        query: Query,
        /// Wait for what is in flight.
        drain: bool,
    },
    /// Entries as they come, until the client hangs up.
    Follow {
        /// Which.
        query: Query,
    },
    /// The daemon's metrics, as Prometheus text.
    Metrics {},
    /// Version, hooks, since when it runs.
    Status {},
}
