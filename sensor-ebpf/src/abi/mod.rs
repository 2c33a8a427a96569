//! Records that the probes write into the two rings.
//!
//! A record is a [`Header`], a fixed part that its [`kind`] tells, and for some kinds a variable
//! tail whose section lengths stand in the fixed part.

#![expect(
    missing_docs,
    reason = "a field is documented where its name does not say it all"
)]

pub mod counter;
pub mod dns;
pub mod exec;
pub mod file;
pub mod kind;
pub mod lineage;
pub mod network;
pub mod offsets;
pub mod path;
pub mod process;
pub mod uring;
pub mod watch;

/// Declares a plain struct of the wire format.
///
/// User space casts bytes to it, so it must have no padding: `zerocopy` refuses to derive otherwise.
macro_rules! wire {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy)]
        #[cfg_attr(
            feature = "user",
            derive(
                zerocopy::FromBytes,
                zerocopy::IntoBytes,
                zerocopy::Immutable,
                zerocopy::KnownLayout
            )
        )]
        pub struct $name { $($(#[$field_meta])* pub $field: $ty),* }
    };
}
pub(crate) use wire;

wire! {
    /// What every record begins with.
    pub struct Header {
        /// One of [`kind`].
        pub kind: u32,
        /// CPU it was made on.
        pub cpu: u32,
        /// `bpf_ktime_get_boot_ns` at the start of the probe.
        pub time: u64,
        /// This CPU's own count of records, lost ones included.
        pub sequence: u64,
        /// tgid of the actor in the initial pid namespace.
        pub pid: u32,
        /// Thread id, likewise.
        pub tid: u32,
        /// `start_boottime` of the actor's group leader.
        pub start: u64,
        /// Real user id in the initial user namespace.
        pub uid: u32,
        /// tgid of the process where the lineage began.
        pub root_pid: u32,
        /// Its `start_boottime`.
        pub root_start: u64,
        /// Inode of the cgroup v2 folder.
        pub cgroup: u64,
    }
}
