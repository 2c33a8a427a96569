//! Fork, exec and exit: small records on the process ring. Losing a bigger record elsewhere never
//! breaks lineage. And the processes there are, on no ring.

use super::{Header, wire};

/// Bytes of the executable's path that travel in [`Exec`], counted from the leaf.
pub const TAIL: usize = 256;

wire! {
    /// A process was made; the header's actor is its parent.
    pub struct Fork {
        pub header: Header,
        /// `start_boottime` of the child.
        pub child_start: u64,
        /// tgid of the child.
        pub child_pid: u32,
        /// 0 if the lineage set was full, so that the child is not watched.
        pub entered: u32,
    }
}

wire! {
    /// The last thread of the process ended.
    pub struct Exit {
        pub header: Header,
        /// `task->exit_code`: what waitpid(2) gives.
        pub status: u32,
        pub reserved: u32,
    }
}

wire! {
    /// A process that runs: what the iterator over all of them gives, back to back.
    pub struct Running {
        /// `start_boottime`.
        pub start: u64,
        /// `start_boottime` of its parent.
        pub parent_start: u64,
        /// tgid.
        pub pid: u32,
        /// tgid of `real_parent`.
        pub parent_pid: u32,
    }
}

/// The executed file has no link in any folder.
pub const DELETED: u32 = 1;
/// The executed file was made by memfd_create.
pub const MEMFD: u32 = 2;

wire! {
    /// A program was started.
    pub struct Exec {
        pub header: Header,
        /// `i_ino` of the executed file.
        pub inode: u64,
        /// `i_uid` of it, in the initial user namespace.
        pub owner: u32,
        /// `i_mode` of it.
        pub mode: u32,
        /// `i_uid` of its folder.
        pub directory_owner: u32,
        /// `i_mode` of its folder.
        pub directory_mode: u32,
        /// tgid of `real_parent`.
        pub parent_pid: u32,
        /// [`DELETED`], [`MEMFD`].
        pub flags: u32,
        /// Bytes used of `tail`.
        pub tail_length: u32,
        pub reserved: u32,
        /// The path's last components, leaf first (see [`super::path`]).
        pub tail: [u8; TAIL],
    }
}
