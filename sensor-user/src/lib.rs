//! pkgwarden: the daemon's parts. Data flows down this list and never back.
//!
//! - [`kernel`]: the probes and their rings.
//! - [`event`]: what happened, decoded and redacted; the capture format.
//! - [`detect`]: Sigma rules over events.
//! - [`alert`]: the shape and the text of what is raised.

pub mod alert;
pub mod detect;
pub mod event;
pub mod kernel;
