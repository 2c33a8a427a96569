//! The accounting. One slot a kind and CPU; generated = delivered + filtered + lost.

use super::wire;

wire! {
    /// Counts of one kind on one CPU. Only ever added to.
    pub struct Count {
        /// The probe ran for a watched process.
        pub generated: u64,
        /// The record is in the ring.
        pub delivered: u64,
        /// No watch entry wanted it.
        pub filtered: u64,
        /// The ring was full, or the record could not be made.
        pub lost: u64,
    }
}

/// Index of the slot, after those of the kinds, whose `lost` counts processes that could not enter
/// the lineage set.
pub const LINEAGE: u32 = super::kind::COUNT;

/// Slots of a CPU's counts.
pub const SLOTS: usize = LINEAGE as usize + 1;

wire! {
    /// All counts of one CPU: one value, so that one call reads them.
    pub struct Counts {
        /// By kind; then [`LINEAGE`].
        pub slots: [Count; SLOTS],
    }
}
