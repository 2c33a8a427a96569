//! What the daemon keeps is written on a thread of its own: a disk that is slow, full or gone never
//! makes the rings wait.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::unkept::{Gap, Unkept};
use crate::state::{Entry, Limits, Snapshot, Store, StoreError, Trouble};

/// Jobs that may wait; behind them entries are dropped and counted.
const WAITING: usize = 1024;
/// Entries written at once.
const BATCH: usize = 128;
/// What is too old goes also where nothing new comes.
const EXPIRY: Duration = Duration::from_secs(3600);
/// At the end of the daemon.
const PATIENCE: Duration = Duration::from_secs(3);

enum Job {
    Keep(Box<Entry>),
    Snapshot(Box<Snapshot>),
    /// Everything before it was written.
    Barrier(oneshot::Sender<()>),
}

/// The thread, as the loop sees it.
pub(super) struct Keeper {
    jobs: SyncSender<Job>,
    said: UnboundedReceiver<Said>,
    thread: JoinHandle<()>,
    figures: Arc<Figures>,
    unkept: Unkept,
}

/// For the metrics, and the loop.
#[derive(Debug, Default)]
struct Figures {
    bytes: AtomicU64,
    errors: AtomicU64,
    /// Nothing is kept at the moment.
    failing: AtomicBool,
}

/// A sentence about the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    /// Alerts are not kept, or some that were are gone: for health. Otherwise for the diagnostics.
    pub(super) failing: bool,
}

impl Keeper {
    /// Opens the store, on its thread.
    pub(super) fn start(folder: &Path, limits: Limits) -> std::io::Result<Self> {
        let (jobs, received) = sync_channel(WAITING);
        let (say, said) = unbounded_channel();
        let folder = folder.to_owned();
        let figures = Arc::new(Figures::default());
        let measured = Arc::clone(&figures);
        let unkept = Unkept::default();
        let missing = unkept.clone();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                Writer {
                    folder,
                    limits,
                    store: None,
                    say,
                    failing: None,
                    figures: measured,
                    unkept: missing,
                }
                .run(&received);
            })?;
        Ok(Self {
            jobs,
            said,
            thread,
            figures,
            unkept,
        })
    }

    /// Keeps an entry, if there is room for it to wait. Never blocks.
    pub(super) fn keep(&mut self, entry: Entry) {
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.jobs.try_send(Job::Keep(Box::new(entry)))
            && let Job::Keep(entry) = job
        {
            self.figures.errors.fetch_add(1, Ordering::Relaxed);
            self.unkept.add(&entry);
        }
    }

    /// Writes the snapshot; one that finds no room is left out, the next one will do.
    pub(super) fn snapshot(&self, snapshot: Snapshot) -> bool {
        self.jobs
            .try_send(Job::Snapshot(Box::new(snapshot)))
            .is_ok()
    }

    /// Waits until everything that was given before is written, but not for long.
    pub(super) async fn written(&self, patience: Duration) {
        let (sender, receiver) = oneshot::channel();
        if self.jobs.try_send(Job::Barrier(sender)).is_ok() {
            let _ = tokio::time::timeout(patience, receiver).await;
        }
    }

    /// What there is to say. Can be cancelled.
    pub(super) async fn said(&mut self) -> Said {
        match self.said.recv().await {
            Some(said) => said,
            None => std::future::pending().await,
        }
    }

    /// What was not kept and is not told of yet.
    pub(super) fn unkept(&self) -> Option<Gap> {
        self.unkept.get()
    }

    /// The same, once the store keeps again what is given to it: the caller tells it.
    pub(super) fn unkept_news(&self) -> Option<Gap> {
        match self.figures.failing.load(Ordering::Relaxed) {
            true => None,
            false => self.unkept.take(),
        }
    }

    /// Of the store, on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.figures.bytes.load(Ordering::Relaxed)
    }

    /// Entries that were not kept.
    pub(super) fn errors(&self) -> u64 {
        self.figures.errors.load(Ordering::Relaxed)
    }

    /// Writes what waits and ends. What was still said.
    pub(super) async fn stop(mut self, last: Snapshot) -> Vec<Said> {
        self.snapshot(last);
        self.written(PATIENCE).await;
        drop(self.jobs);
        // A disk that hangs is not waited for.
        if self.thread.is_finished() {
            let _ = self.thread.join();
        }
        let mut said = Vec::new();
        while let Ok(one) = self.said.try_recv() {
            said.push(one);
        }
        said
    }
}

/// The other side.
struct Writer {
    folder: PathBuf,
    limits: Limits,
    store: Option<Store>,
    say: UnboundedSender<Said>,
    /// What it says now of why nothing is kept.
    failing: Option<String>,
    figures: Arc<Figures>,
    unkept: Unkept,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        self.open();
        loop {
            let mut entries = Vec::new();
            let mut waiting = Vec::new();
            let mut snapshot = None;
            let mut next = match jobs.recv_timeout(EXPIRY) {
                Ok(job) => Some(job),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    if let Some(store) = &mut self.store {
                        store.expire();
                    }
                    continue;
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
            };
            while let Some(job) = next {
                match job {
                    Job::Keep(entry) => entries.push(*entry),
                    Job::Snapshot(latest) => snapshot = Some(latest),
                    Job::Barrier(sender) => waiting.push(sender),
                }
                next = (entries.len() < BATCH)
                    .then(|| jobs.try_recv().ok())
                    .flatten();
            }
            let kept = self.keep(&entries);
            if let (Some(snapshot), Some(store)) = (snapshot, &self.store)
                && let Err(error) = snapshot.write(store.folder())
            {
                self.outcome(Some(error.to_string()));
            }
            for sender in waiting {
                let _ = sender.send(());
            }
            if kept && let Some(store) = &mut self.store {
                let synced = store.sync();
                self.outcome(synced.err().map(|error| error.to_string()));
            }
        }
    }

    fn open(&mut self) {
        match Store::open(&self.folder, self.limits) {
            Ok((store, troubles)) => {
                self.store = Some(store);
                for trouble in troubles {
                    let mended = matches!(trouble, Trouble::TornTail { .. });
                    self.tell(format!("the store: {trouble}"), !mended);
                }
            }
            Err(error) => self.outcome(Some(error.to_string())),
        }
    }

    /// Whether there was something, and all of it was written.
    fn keep(&mut self, entries: &[Entry]) -> bool {
        if entries.is_empty() {
            return false;
        }
        if self.store.is_none() {
            // The disk may be writable by now.
            self.open();
        }
        let Some(store) = &mut self.store else {
            self.missing(entries);
            return false;
        };
        let kept = store.append(entries);
        self.figures.bytes.store(store.bytes(), Ordering::Relaxed);
        match kept {
            // Too much for a small store at once.
            Err(StoreError::TooLarge { .. }) if entries.len() > 1 => {
                let (first, second) = entries.split_at(entries.len() / 2);
                self.keep(first) & self.keep(second)
            }
            Err(error) => {
                self.outcome(Some(error.to_string()));
                self.missing(entries);
                false
            }
            Ok(()) => true,
        }
    }

    fn missing(&self, entries: &[Entry]) {
        let count = entries.len() as u64;
        self.figures.errors.fetch_add(count, Ordering::Relaxed);
        for entry in entries {
            self.unkept.add(entry);
        }
    }

    /// Says what changed: that nothing is kept any more, and that it is again.
    fn outcome(&mut self, error: Option<String>) {
        self.figures
            .failing
            .store(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if self.failing.as_ref() != Some(&error) => {
                self.tell(format!("alerts are not kept: {error}"), true);
                self.failing = Some(error);
            }
            Some(_) => {}
            None => {
                if self.failing.take().is_some() {
                    self.tell("alerts are kept again".to_owned(), false);
                }
            }
        }
    }

    fn tell(&self, text: String, failing: bool) {
        // The loop may have ended.
        let _ = self.say.send(Said { text, failing });
    }
}
