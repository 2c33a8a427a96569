//! pkgwarden: the daemon's parts. Data flows down this list and never back.
//!
//! - [`event`]: what happened, decoded and redacted; the capture format.
//! - [`lineage`]: the process tree, scopes and install sessions.
//! - [`attribution`]: whose code runs: package, lifecycle step, CI job.
//! - [`names`]: what kind of address a peer has.
//! - [`detect`]: Sigma rules over events.
//! - [`alert`]: the shape and the text of what is raised.
//! - [`health`]: the sensor about itself.
//! - [`sink`]: where alerts and health records go.
//! - [`core`]: the pure pipeline through all of these: events in, findings and a report out.
//! - [`cli`]: one file per verb.

pub mod alert;
pub mod attribution;
pub mod cli;
pub mod core;
pub mod detect;
pub mod event;
pub mod health;
pub mod lineage;
pub mod names;
pub mod sink;
