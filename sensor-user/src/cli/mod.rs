//! One file per verb.

pub mod replay;
pub mod rules;
