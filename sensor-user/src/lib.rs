//! pkgwarden: the daemon's parts. Data flows down this list and never back.
//!
//! - [`event`]: what happened, decoded and redacted; the capture format.
//! - [`detect`]: Sigma rules over events.
//! - [`alert`]: the shape and the text of what is raised.
//! - [`cli`]: one file per verb.

pub mod alert;
pub mod cli;
pub mod detect;
pub mod event;
