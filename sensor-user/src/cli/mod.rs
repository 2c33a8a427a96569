//! One file per verb.

pub mod rules;
