//! Opens, renames, removals and mode changes. Paths are leaf first (see [`super::path`]); arguments are as the
//! process passed them.

use super::{Header, wire};

/// Operations, in watch entries and in [`Open`].
pub const READ: u32 = 1;
/// Opened for writing. In watch entries: of a file that was there before.
pub const WRITE: u32 = 2;
/// Made by this open (`FMODE_CREATED`).
pub const CREATE: u32 = 4;
/// Renamed, or its mode changed.
pub const METADATA: u32 = 8;
/// Watch entries only: the component below names a package.
pub const REMEMBER: u32 = 16;
/// Removed.
pub const REMOVE: u32 = 32;

wire! {
    /// open, creat, openat, openat2. Followed by the argument (for a failed open only), then the
    /// file's path, or the path of the argument's base (none for an absolute one), then the file's
    /// path inside its file system where a bind mount makes it another.
    pub struct Open {
        pub header: Header,
        pub inode: u64,
        /// [`READ`], [`WRITE`], [`CREATE`].
        pub operations: u32,
        /// `O_*` as the file has them, or as asked for.
        pub flags: u32,
        /// `i_mode`; 0 for a failed open.
        pub mode: u32,
        /// 0, or what failed.
        pub errno: u32,
        pub argument: u32,
        pub path: u32,
        pub source: u32,
        pub reserved: u32,
    }
}

wire! {
    /// rename, renameat, renameat2, and with the same two names link, linkat, symlink, symlinkat
    /// (where the old name is the target's text, without a base). Followed by argument and base of the old name, then of the new.
    pub struct Rename {
        pub header: Header,
        pub from: u32,
        pub from_base: u32,
        pub to: u32,
        pub to_base: u32,
        pub errno: u32,
        pub reserved: u32,
    }
}

wire! {
    /// chmod and its kin, and with `mode` 0 failed execs and removals. Followed by the argument, then by a path: the
    /// object's own where there is no argument, else that of the argument's base.
    pub struct Named {
        pub header: Header,
        pub mode: u32,
        pub errno: u32,
        pub argument: u32,
        pub path: u32,
    }
}

wire! {
    /// The first file of a package. Followed by its path.
    pub struct Module {
        pub header: Header,
        pub path: u32,
        pub reserved: u32,
    }
}
