//! Who did what happened.

use serde::{Deserialize, Serialize};

use super::{Body, ProcessKey};

/// The process that acted, as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    #[serde(flatten)]
    pub process: ProcessKey,
    /// The thread.
    pub tid: u32,
    /// Real user id, in the initial user namespace.
    pub uid: u32,
    /// Inode of the cgroup v2 folder; 0 where there is none.
    pub cgroup: u64,
    /// Where the lineage began; from the kernel's own set, so it holds even if an exec was missed.
    pub root: ProcessKey,
}

/// Every kind of event that a process causes, and those that none does.
macro_rules! by_actor {
    ($body:expr) => {
        match $body {
            Body::Fork { actor, .. }
            | Body::Exec { actor, .. }
            | Body::Found { actor, .. }
            | Body::Exit { actor, .. }
            | Body::ExecFailed { actor, .. }
            | Body::Connect { actor, .. }
            | Body::ConnectResult { actor, .. }
            | Body::Send { actor, .. }
            | Body::Dns { actor, .. }
            | Body::Listen { actor, .. }
            | Body::RawSocket { actor, .. }
            | Body::Open { actor, .. }
            | Body::Rename { actor, .. }
            | Body::Link { actor, .. }
            | Body::Unlink { actor, .. }
            | Body::Chmod { actor, .. }
            | Body::Module { actor, .. }
            | Body::StartupFile { actor, .. }
            | Body::IoUring { actor, .. } => Some(actor),
            Body::Metadata { .. }
            | Body::Container { .. }
            | Body::Resolver { .. }
            | Body::Start(_)
            | Body::Counters(_)
            | Body::Clock { .. }
            | Body::Tampered { .. }
            | Body::CommandEnded { .. }
            | Body::End => None,
        }
    };
}

impl Body {
    /// Who did it, where a process did.
    pub fn actor(&self) -> Option<&Actor> {
        by_actor!(self)
    }

    /// The same, to be changed.
    pub fn actor_mut(&mut self) -> Option<&mut Actor> {
        by_actor!(self)
    }
}
