//! One file per verb.

pub mod explain;
