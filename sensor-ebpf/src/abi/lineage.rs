//! The lineage set: which processes are watched. Key: tgid.

use super::wire;

wire! {
    /// What the kernel remembers of a watched process; children get a copy at fork.
    pub struct Lineage {
        /// `start_boottime` of this process, so that a later process with the same tgid is not
        /// taken for it.
        pub start: u64,
        /// Where the lineage began.
        pub root_start: u64,
        /// tgid of that process.
        pub root_pid: u32,
        /// [`CARRIER`], or 0.
        pub flags: u32,
        /// Address of the package folder's dentry that this process read from last: compared, never
        /// followed.
        pub module: u64,
    }
}

/// The process is not watched itself; each process that it makes begins a lineage. `start` is not
/// compared: such a process is the sensor's own side, and outlives its entry.
pub const CARRIER: u32 = 1;
