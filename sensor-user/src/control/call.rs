//! What a connection asks of the daemon's main loop. Each call takes the loop microseconds, or is
//! asked for by all clients together ([`Call::Drain`], [`Call::Alive`]).

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::line::{End, Status};
use super::outbox::Outbox;
use super::wire::Hook;
use crate::event::{ProcessKey, WatchSet};
use crate::kernel::HookStatus;
use crate::state::{Entry, Query};

/// One connection, for as long as the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub(crate) u64);

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// In the daemon's pid namespace; 0 for a process that has no pid there.
    pub pid: u32,
    /// In the daemon's user namespace.
    pub uid: u32,
}

/// What a daemon gives to a run: fixed until its rules are reloaded.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Which files the kernel reports.
    pub watch: WatchSet,
    /// What feeds each event kind.
    pub(crate) hooks: Vec<Hook>,
}

impl Offer {
    /// What a sensor with these hooks and this watch set has to give.
    pub fn new(watch: WatchSet, hooks: &[HookStatus]) -> Arc<Self> {
        let hooks = hooks.iter().map(Hook::from).collect();
        Arc::new(Self { watch, hooks })
    }
}

/// A watched process and where its lineage began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after what they hold")]
pub struct Living {
    pub process: ProcessKey,
    pub root: ProcessKey,
}

/// A sentence that says no.
pub type Refusal = String;

/// The way back from the loop.
pub type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// What is asked. [`super::Runs`] and [`super::Followers`] answer what is theirs.
#[derive(Debug)]
pub enum Call {
    /// A run begins: the peer's children are to be watched.
    Begin(Begin),
    /// A child of the run's process is its command.
    Watch {
        /// Whose.
        client: ClientId,
        /// Was found to be a child of the peer's, and the peer's user's.
        pid: u32,
        /// Who it is.
        answer: Answer<ProcessKey>,
    },
    /// The connection is over.
    End {
        /// Whose.
        client: ClientId,
    },
    /// Entries are wanted as they are raised.
    Follow {
        /// Whose.
        client: ClientId,
        /// Of whom.
        peer: Peer,
        /// Which.
        query: Query,
        /// Where to.
        outbox: Outbox,
    },
    /// Everything generated so far is to be handled.
    Drain(Drain),
    /// Whether everything that was raised is in the store.
    Stored(Answer<()>),
    /// The members of the lineage set.
    Alive(Answer<Arc<Vec<Living>>>),
    /// What is recorded. The viewer is set for everyone but root.
    Query {
        /// Which.
        query: Query,
        /// What there is.
        answer: Answer<Found>,
    },
    /// How the daemon is.
    Status(Answer<Status>),
    /// The metrics, as Prometheus text.
    Metrics(Answer<String>),
}

/// Asks for a run.
#[derive(Debug)]
pub struct Begin {
    pub(crate) client: ClientId,
    pub(crate) peer: Peer,
    /// What its rules need.
    pub(crate) watch: WatchSet,
    /// What was found to cover that.
    pub(crate) offer: Arc<Offer>,
    pub(crate) outbox: Outbox,
    pub(crate) answer: Answer<()>,
}

/// Asks that everything generated before be handled: what the rings hold given to
/// [`super::Runs::deliver`] and to the daemon's own core. Whether what that raised is in the store is
/// another question, [`Call::Stored`].
/// [`super::Runs::drained`] answers it after that.
#[derive(Debug)]
pub struct Drain {
    /// The runs among those who wait.
    pub(crate) runs: Vec<ClientId>,
    pub(crate) answer: Answer<()>,
}

/// What the store has. The entries are taken on a thread that may wait for the disk.
pub struct Found {
    /// Newest first. What can't be read is a sentence in its place.
    pub entries: Box<dyn Iterator<Item = Result<Entry, String>> + Send>,
    /// What is known beside them.
    pub end: End,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
