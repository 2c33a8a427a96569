//! How a kernel path travels: leaf first.
//!
//! The probe walks from the dentry to the root, so it writes the components in that order, each
//! followed by a NUL. User space turns them round.

/// Longest kernel path, in bytes, NULs included. A walk that would pass it stops, and the leading
/// part is missing.
pub const MAX: usize = 4096;

/// Longest argument string that is copied, its NUL included (`PATH_MAX`).
pub const ARGUMENT_MAX: usize = 4096;

/// Set in a section length when the section is incomplete.
pub const TRUNCATED: u32 = 1 << 31;
