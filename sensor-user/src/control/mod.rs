//! The daemon's control socket: `run`, `check`, `alerts`, `sessions` and `explain` talk to it.
//!
//! A client sends one line, its [`Request`]. After [`Request::Run`] both sides speak the lines of
//! [`wire`], as with `pkgwarden sensor`; after every other request the daemon sends [`Line`]s.
//!
//! - [`line`]: the lines of an answer.
//! - [`wire`]: the lines of a run.
//! - [`client`]: the asking side.

pub mod client;
pub mod line;
pub(crate) mod wire;

use serde::{Deserialize, Serialize};

use crate::state::Query;

pub use line::{End, Line, Status};

/// Where the daemon listens.
pub const SOCKET: &str = "/run/pkgwarden/control";

/// Another place to look for it, for tests. Whoever answers there must be root all the same.
pub const VARIABLE: &str = "PKGWARDEN_CONTROL";

/// The first line of a client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A command is to be watched: the lines of `wire` follow.
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
