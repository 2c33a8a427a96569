//! Reading kernel objects, and what every probe shares: the lineage set, the rings, the accounting.

pub mod argument;
pub mod atomic;
pub mod component;
pub mod lineage;
pub mod object;
pub mod read;
pub mod record;
pub mod scratch;
pub mod socket;
pub mod walk;
