//! Sigma rules over events: loading, checking, matching, and which files the kernel must report.
//!
//! The engine behind it stays behind it: nothing outside this folder names its types.

mod chain;
mod check;
mod field;
pub mod lists;
mod load;
mod matching;
mod playbook;
mod problem;
mod read;
mod rule;
mod ruleset;
mod screen;
mod shipped;
mod subject;
mod told;
mod watch;
mod yaml;

pub use chain::{Chain, Definition, Group};
pub use field::{Category, Field, UnknownField};
pub use problem::{Format, LoadErrors, Problem};
pub use rule::{Branch, Confidence, Hit, Level, Matched, Playbook, Rule};
pub use ruleset::{Filter, RuleSet, Sources};
pub use shipped::captures;
pub use subject::{ProcessFields, Subject, Value};

#[cfg(test)]
mod tests;
