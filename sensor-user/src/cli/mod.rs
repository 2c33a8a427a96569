//! One file per verb.

pub mod explain;
pub mod replay;
pub mod rules;
