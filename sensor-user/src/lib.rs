//! pkgwarden: the daemon's parts. Data flows down this list and never back.
//!
//! - [`event`]: what happened, decoded and redacted; the capture format.
//! - [`detect`]: Sigma rules over events.
//! - [`alert`]: the shape and the text of what is raised.
//! - [`health`]: the sensor about itself.
//! - [`sink`]: where alerts and health records go.
//! - [`cli`]: one file per verb.

pub mod alert;
pub mod cli;
pub mod detect;
pub mod event;
pub mod health;
pub mod sink;
