//! pkgwarden: the daemon's parts. Data flows down this list and never back.
//!
//! - [`kernel`]: the probes, and what they send: the only code that knows aya.
//! - [`event`]: what happened, decoded and redacted; the capture format.
//! - [`edge`]: every read of what watched code can influence.
//! - [`lineage`]: the process tree, scopes and install sessions.
//! - [`attribution`]: whose code runs: package, lifecycle step, CI job.
//! - [`names`]: what kind of address a peer has.
//! - [`detect`]: Sigma rules over events.
//! - [`alert`]: the shape and the text of what is raised.
//! - [`core`]: the pure pipeline through all of these: events in, findings and a report out.
//! - [`health`]: the sensor about itself.
//! - [`sink`]: where alerts and health records go.
//! - [`state`]: what the daemon keeps.
//! - [`control`]: the daemon's socket.
//! - [`config`]: the configuration file.
//! - [`cli`]: one file per verb.

pub mod alert;
pub mod attribution;
pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod detect;
pub mod edge;
pub mod event;
pub mod health;
pub mod kernel;
pub mod lineage;
pub mod names;
pub mod sink;
pub mod state;
