//! The daemon's control socket: `run`, `check`, `alerts`, `sessions` and `explain` talk to it.
//!
//! A client sends one line, its [`Request`]. After [`Request::Run`] both sides speak the lines of
//! [`wire`], as with `pkgwarden sensor`; after every other request the daemon sends [`Line`]s.
//!
//! - [`client`]: the asking side.
//! - [`line`]: the lines of an answer.
//! - `wire`: the lines of a run.
//! - `socket`: the socket's file.
//! - [`server`]: the daemon's side, on a thread of its own; `peer` is who connects.
//! - [`call`]: what the server asks of the daemon's loop; `runs` and `followers` are the loop's
//!   registries that answer.
//! - `outbox`: what a client is to be sent, within bounds.

pub mod call;
pub mod client;
mod followers;
pub mod line;
mod outbox;
mod peer;
mod runs;
pub mod server;
mod socket;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use serde::{Deserialize, Serialize};

use crate::state::Query;

pub use call::{Call, Found, Living, Offer};
pub use followers::Followers;
pub use line::{End, Line, Status};
pub use outbox::Outbox;
pub use runs::{Runs, Watcher};
pub use server::{Control, Limits};
pub use socket::{BindError, GROUP, Socket};

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
