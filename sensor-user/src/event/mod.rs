//! What happened, decoded and redacted: plain data that the pure core consumes and captures keep.
//!
//! An [`Event`] is self-contained: it carries its own time and order, never a handle to look
//! something up with. Everything downstream is a function of the events alone, which is why a
//! replayed capture gives the same alerts byte for byte.

#![expect(
    missing_docs,
    reason = "a field is documented where its name does not say it all"
)]

mod accounting;
mod actor;
mod argument;
pub mod capture;
mod dns;
mod read;
pub mod redact;
mod socket;
#[cfg(test)]
pub(crate) mod stage;
mod text;
mod watch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use accounting::{Count, Counters, Kinds};
pub use actor::Actor;
pub use argument::arguments;
pub use dns::{Dns, DnsAnswer, DnsData, DnsMessage, DnsQuestion, Registry, Resolver};
pub use read::event as from_line;
use socket::is_zero;
pub use socket::{Socket, Transport};
pub use text::{BadEscape, Text};
pub use watch::{KEY_BYTES, Operations, WatchEntry, WatchKey, WatchSet};

/// One thing that happened, in the order it was handled: (time, cpu, sequence).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Nanoseconds of CLOCK_BOOTTIME.
    pub time: u64,
    /// The CPU it was recorded on.
    pub cpu: u32,
    /// Position in that CPU's own sequence; 0 for records that user space made.
    pub sequence: u64,
    /// What it was.
    #[serde(flatten)]
    pub body: Body,
}

/// Kernel events carry their [`Actor`]; the records after `Metadata` are the sensor's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Body {
    /// A process (not a thread) was made.
    Fork { actor: Actor, child: ProcessKey },
    /// A program was started.
    Exec { actor: Actor, exec: Box<Exec> },
    /// A process that ran before the watch began, as /proc showed it. `resumed`: an earlier sensor had
    /// watched it, and saw it in the CI step that began with `step`.
    Found {
        actor: Actor,
        exec: Box<Exec>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<ProcessKey>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<ProcessKey>,
    },
    /// The last thread of a process ended. `status` as waitpid(2) gives it.
    Exit { actor: Actor, status: i32 },
    /// An execve or execveat that failed with `errno`; `place` is what was asked for.
    ExecFailed {
        actor: Actor,
        place: Place,
        errno: i32,
    },
    /// connect(2), before it is made.
    Connect { actor: Actor, socket: Socket },
    /// How a connect ended: 0, or an errno. Without a cookie, by the call's result: the connect that
    /// this thread made last.
    ConnectResult {
        actor: Actor,
        errno: i32,
        #[serde(default, skip_serializing_if = "is_zero")]
        cookie: u64,
    },
    /// A datagram to an address, on a socket that is not connected.
    Send { actor: Actor, socket: Socket },
    /// A name was asked for, or told, on a socket that the actor connected or sent from.
    Dns { actor: Actor, dns: Box<Dns> },
    /// A socket began to listen; `ip` and `port` are its own.
    Listen { actor: Actor, socket: Socket },
    /// What resolves names where this process runs, read at the edge when an install began there.
    Resolver {
        about: ProcessKey,
        resolver: Box<Resolver>,
    },
    /// A raw or packet socket was made.
    RawSocket {
        actor: Actor,
        family: u16,
        protocol: u16,
    },
    /// open, creat, openat, openat2, whether it worked or not.
    Open { actor: Actor, open: Box<Open> },
    /// rename, renameat, renameat2. `errno` 0 when it worked.
    Rename {
        actor: Actor,
        from: Place,
        to: Place,
        errno: i32,
    },
    /// link, linkat; symlink, symlinkat (`symbolic`, `from` is the target).
    Link {
        actor: Actor,
        from: Place,
        to: Place,
        symbolic: bool,
        errno: i32,
    },
    /// unlink, unlinkat, that worked.
    Unlink { actor: Actor, place: Place },
    /// chmod, fchmod, fchmodat, fchmodat2.
    Chmod {
        actor: Actor,
        place: Place,
        mode: u32,
        errno: i32,
    },
    /// The process read its first file from another package's folder than before.
    Module { actor: Actor, path: Text },
    /// An io_uring request of a kind that the syscall hooks would have shown.
    IoUring {
        actor: Actor,
        operation: UringOperation,
        place: Option<Place>,
    },
    /// A file that python runs at each start, put where it looks for them, with code in it; read at the
    /// edge when its writer had ended.
    StartupFile {
        actor: Actor,
        place: Place,
        /// What its code is made of, in words of a fixed list: `exec`, `base64`, `long`.
        code: Vec<String>,
    },

    /// What a package's own manifest says, read at the edge when its code was about to run.
    Metadata {
        about: ProcessKey,
        manifest: Manifest,
    },
    /// Which container a cgroup is, resolved at the edge.
    Container {
        /// As in [`Actor::cgroup`].
        cgroup: u64,
        id: String,
        runtime: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<String>,
    },
    /// First record of a capture and of each sensor start.
    Start(Box<Start>),
    /// Snapshot of the accounting.
    Counters(Counters),
    /// The wall clock was set, or has drifted from the other: as in [`Start::wall_offset`].
    Clock { wall_offset: i64 },
    /// Parts of the sensor that were in the kernel and are not any more.
    Tampered { missing: Vec<String> },
    /// The watched command ended: its wait status.
    CommandEnded { root: ProcessKey, status: i32 },
    /// Last record of a run.
    End,
}

/// A process, told apart from a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessKey {
    /// Thread group id, in the initial pid namespace.
    pub pid: u32,
    /// `start_boottime` of the group leader, in nanoseconds.
    pub start: u64,
}

/// A path and how it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Absolute, as seen from the initial mount namespace's root as far as the walk got.
    pub path: Text,
    #[serde(default)]
    pub observed: Observed,
    /// What the process passed, where `observed` is `argument`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<Text>,
    /// The leading part is missing: the path was longer than the sensor's buffer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The same file inside its file system, where a bind mount shows it under another path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<Place>>,
}

/// Where a path or address was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Observed {
    /// From the kernel's own object.
    #[default]
    Kernel,
    /// From the caller's argument, joined to the kernel path of its base. The caller could have
    /// changed it meanwhile.
    Argument,
}

/// The program that a process started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exec {
    /// The executed file: for a script, its interpreter.
    pub executable: Place,
    /// What execve was asked for (`bprm->filename`); for a script, the script.
    pub requested: Text,
    pub args: Vec<Text>,
    /// The middle of `args` was left out, or they could not be read.
    pub args_truncated: bool,
    /// Only allow-listed variables.
    pub environment: BTreeMap<String, Text>,
    /// A variable of the allow-list may be missing.
    pub environment_truncated: bool,
    pub working_directory: Text,
    /// tgid of `real_parent` at the time.
    pub parent_pid: u32,
    /// The executed file has no name in any folder any more.
    pub deleted: bool,
    /// It lives in memory only (memfd_create).
    pub memfd: bool,
    /// `i_ino` of the executed file.
    pub inode: u64,
    /// Owner of the executed file.
    pub owner: u32,
    /// Permission and type bits of the executed file.
    pub mode: u32,
    /// Owner of the folder it lies in.
    pub directory_owner: u32,
    /// Mode of the folder it lies in.
    pub directory_mode: u32,
    /// The detail record was lost: only the tail of the executable's path is known.
    pub detail_lost: bool,
}

/// One open of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    #[serde(flatten)]
    pub place: Place,
    /// What the opened file may be used for (`f_mode`), or for a failed open what was asked for.
    pub operations: Operations,
    /// The `O_*` flags that were asked for.
    pub flags: u32,
    /// `i_mode`; 0 for a failed open.
    #[serde(default)]
    pub mode: u32,
    /// 0 when it worked.
    #[serde(default)]
    pub errno: i32,
    #[serde(default)]
    pub inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UringOperation {
    Open,
    Connect,
    Send,
    Rename,
    Unlink,
    Link,
    Symlink,
    Socket,
}

/// What a package says of itself: its own word, not proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The folder it was read from.
    pub directory: Text,
    /// `package.json`, `PKG-INFO`, `pyproject.toml`.
    pub file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where the manager had it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Fetched>,
}

/// The host that a package was fetched from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    pub host: String,
    pub told_by: FetchedBy,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchedBy {
    /// What the manager keeps of all that it has installed.
    Lock,
    /// What it wrote beside the package.
    Metadata,
}

/// The sensor and the machine it starts on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// CLOCK_REALTIME minus CLOCK_BOOTTIME, nanoseconds.
    pub wall_offset: i64,
    pub host: Host,
    /// pkgwarden's version.
    pub version: String,
    /// What is watched: `run` gives the command; empty for a daemon.
    pub command: Vec<Text>,
    pub working_directory: Text,
    /// The root of the watched tree, for `run`.
    pub root: Option<ProcessKey>,
    /// Which hook feeds each kind, `exec: btf_tracepoint sched_process_exec`.
    pub hooks: Vec<String>,
    /// Sentences: what can't be seen on this kernel and why.
    pub degraded: Vec<String>,
    /// An event kind has no working hook at all: nothing can be complete.
    pub blind: bool,
    /// Names of the users that may act, so that the core need not look them up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserName>,
}

/// An account on the watched machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserName {
    pub uid: u32,
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub name: String,
    /// machine-id.
    pub id: String,
    pub boot_id: String,
    pub kernel: String,
}
