//! Which files the kernel reports: compiled from the loaded rules, handed down to the probes.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// What an act does with a file.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct Operations: u32 {
        /// Opened for reading.
        const READ = 1;
        /// Opened for writing.
        const WRITE = 2;
        /// Did not exist and was made by this open.
        const CREATE = 4;
        /// Renamed, or its mode changed.
        const METADATA = 8;
    }
}

/// Which paths an entry means. Literals are bytes; the kernel compares them exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WatchKey {
    /// One whole component anywhere in the path, the last one included: `.ssh`, `id_rsa`.
    Component(Vec<u8>),
    /// The last component ends so: `.pth`.
    BasenameSuffix(Vec<u8>),
    /// The last component begins so: `id_`.
    BasenamePrefix(Vec<u8>),
    /// Every path: costs an event per operation.
    Any,
}

/// Report these operations on these paths.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchEntry {
    /// Which paths.
    pub key: WatchKey,
    /// Which operations on them.
    pub operations: Operations,
}

/// All entries of a rule set. Over-approximates: whatever a rule could match passes; what passes
/// need not match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSet {
    /// In no particular order; operations of equal keys add up.
    pub entries: Vec<WatchEntry>,
}
