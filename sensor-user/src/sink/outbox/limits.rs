//! The bounds of what may wait.

use std::time::Duration;

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries in memory.
    pub entries: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Bytes on disk.
    pub spill_bytes: u64,
    /// How long journald may take nothing before health says so.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 4096,
            bytes: 8 << 20,
            spill_bytes: 64 << 20,
            patience: Duration::from_secs(5),
        }
    }
}
