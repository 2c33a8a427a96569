//! Alerts and reports: their shape, their text, and when one is a repeat.

pub mod report;
pub mod schema;
