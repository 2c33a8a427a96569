//! Alerts and reports: their shape, their text, and when one is a repeat.
//!
//! Almost every text in an alert was chosen by hostile code. [`schema`] keeps it as it was;
//! whatever prints it goes through [`escape`] first.

pub mod escape;
pub mod explain;
pub mod id;
pub mod json_schema;
mod later;
pub mod limit;
pub mod page;
pub mod paste;
pub mod report;
pub mod row;
pub mod schema;
pub mod summary;
pub mod words;

#[cfg(test)]
pub(crate) mod sample;
