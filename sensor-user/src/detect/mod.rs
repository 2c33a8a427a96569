//! Sigma rules over events: loading, checking, matching, and which files the kernel must report.

mod field;
mod rule;
mod subject;

pub use field::{Category, Field, UnknownField};
pub use rule::{Branch, Confidence, Hit, Level, Matched, Playbook, Rule};
pub use subject::{Subject, Value};
