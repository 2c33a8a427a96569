//! The detail of an exec. It has the same time and pid as its [`super::process::Exec`].

use super::{Header, wire};

/// Bytes of the argument list that are kept when it is longer than twice this: the first and the
/// last.
pub const ARGUMENT_PART: usize = 16_384;

/// Bytes of environment that are kept.
pub const ENVIRONMENT_MAX: usize = 12_288;

/// Bytes of a variable's name that choose it in the kernel. Longer names share an entry by their
/// first bytes; user space keeps exact names only.
pub const VARIABLE_KEY: usize = 16;

wire! {
    /// Followed by the executable's path, the working directory's (both leaf first), what was asked
    /// for, the head and the tail of the arguments, and the variables, each of the length here
    /// (with [`super::path::TRUNCATED`] where incomplete).
    pub struct ExecDetail {
        pub header: Header,
        pub executable: u32,
        pub working_directory: u32,
        pub requested: u32,
        pub arguments_head: u32,
        pub arguments_tail: u32,
        pub environment: u32,
        /// Length of the whole argument list in the process's memory.
        pub arguments_total: u64,
    }
}

/// Longest record.
pub const MAX: usize =
    size_of::<ExecDetail>() + 3 * super::path::MAX + 2 * ARGUMENT_PART + ENVIRONMENT_MAX;
