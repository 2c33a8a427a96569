//! Between the daemon and journald: what journald does not take at once waits here, in order.
//!
//! Goals: [`Outbox::send`] never blocks, whatever journald or a disk does; memory and disk are
//! bounded; everything is sent in the order it was given, or counted by why it was not; what waits
//! for longer than a second is on disk and outlives the daemon.
//!
//! The order is always the same: read back from disk, on disk, in memory. A restart may send again
//! what was read back and not yet noted as sent: an entry comes at least once, under the same id.
//!
//! What no sender can know: whether journald wrote what it took. An entry that it took and lost, when
//! it was killed or its disk was full, is missing there; the other outputs and the store have it.

mod disk;
mod limits;
mod notice;
mod segment;
mod spill;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Record;
use super::journald::entry;
use super::native::{Entry, NotSent, Socket};
use crate::health::metrics::{Dropped, OutboxFigures};
use disk::{Disk, Done, Job, Waiting};
pub use limits::Limits;
pub use notice::Notice;
use notice::Watch;
use spill::{KeepError, Mark};

/// How long one turn may take: the rings wait meanwhile.
const SLICE: Duration = Duration::from_millis(1);
/// Between two tries: doubled from the first up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// What waits longer goes to disk, and says on arrival that it is late.
const LATE: Duration = Duration::from_secs(1);
/// Written to disk at once.
const BATCH: usize = 1 << 20;

/// Sends records to journald, now or later.
#[derive(Debug)]
pub struct Outbox {
    socket: Socket,
    limits: Limits,
    disk: Option<Disk>,
    /// Read back from disk.
    head: VecDeque<(Entry, Mark)>,
    /// Behind the last one of those that was sent, where the disk was not told.
    sent: Option<Mark>,
    queue: VecDeque<Waiting>,
    /// Entries that the disk is about to write, with their bytes.
    moving: (usize, usize),
    queue_bytes: usize,
    pause: Duration,
    not_before: Instant,
    /// Why the disk took nothing the last time, and when to try again.
    full: Option<(Dropped, String, Instant)>,
    figures: OutboxFigures,
    watch: Watch,
}

impl Outbox {
    /// `journal_socket` is [`super::JOURNAL_SOCKET`], except in tests. Without a `spill_folder`, or
    /// where it can't be used, only memory is left. What waits in the folder is sent first.
    pub fn open(
        journal_socket: &Path,
        spill_folder: Option<&Path>,
        limits: Limits,
    ) -> io::Result<Self> {
        let disk = spill_folder.map(|folder| Disk::start(folder, limits.spill_bytes));
        Ok(Self {
            socket: Socket::new(journal_socket)?,
            disk: disk.transpose()?,
            head: VecDeque::new(),
            sent: None,
            queue: VecDeque::new(),
            moving: (0, 0),
            queue_bytes: 0,
            pause: Duration::ZERO,
            not_before: Instant::now(),
            full: None,
            figures: OutboxFigures::default(),
            watch: Watch::new(journal_socket.display().to_string(), limits.patience),
            limits,
        })
    }

    /// Sends it, or puts it behind what waits. Never blocks.
    pub fn send(&mut self, record: Record<'_>) {
        let now = Instant::now();
        let waiting = Waiting {
            entry: entry(record),
            since: now,
            marked: false,
        };
        if self.waiting() > 0 {
            self.push(waiting, now);
            self.order(now);
            return;
        }
        match self.socket.send(&waiting.entry) {
            Ok(()) => self.figures.sent += 1,
            Err(NotSent::Never(error)) => self.drop_some(Dropped::Unsendable, 1, now, &error),
            Err(NotSent::Slow(error) | NotSent::Away(error)) => {
                self.push(waiting, now);
                self.refused(now, &error);
            }
        }
    }

    fn push(&mut self, waiting: Waiting, now: Instant) {
        let size = waiting.entry.bytes().len();
        let count = self.queue.len() + self.moving.0 + 1;
        let bytes = self.queue_bytes + self.moving.1 + size;
        if count > self.limits.entries || bytes > self.limits.bytes {
            let (cause, why) = match &self.full {
                Some((cause, why, _)) => (*cause, format!("{}: {why}", cause.sentence())),
                None => (Dropped::QueueFull, Dropped::QueueFull.sentence().to_owned()),
            };
            return self.drop_some(cause, 1, now, &why);
        }
        self.queue_bytes += size;
        self.queue.push_back(waiting);
    }

    fn drop_some(&mut self, cause: Dropped, count: u64, now: Instant, why: &dyn ToString) {
        if count > 0 {
            *self.figures.dropped.entry(cause).or_default() += count;
            self.watch.dropped(now, count, &why.to_string());
        }
    }

    fn refused(&mut self, now: Instant, error: &io::Error) {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
        self.not_before = now + self.pause;
        let waiting = self.waiting();
        self.watch.refused(now, &error.to_string(), waiting);
    }

    /// How many wait, wherever.
    pub fn waiting(&self) -> u64 {
        let here = self.head.len() + self.queue.len() + self.moving.0;
        let opening = self.disk.as_ref().is_some_and(|disk| disk.busy);
        let there = self.disk.as_ref().map_or(0, |disk| disk.stock.records);
        // While the disk has a job it may yet turn out to hold older ones.
        there + (here as u64).max(u64::from(opening))
    }

    /// Returns when [`Self::turn`] has something to do; never, where nothing waits. May be dropped
    /// at any time, as `select!` does.
    pub async fn ready(&mut self) {
        if self.waiting() == 0 && self.sent.is_none() && !self.watch.is_open() {
            std::future::pending::<()>().await;
        }
        let blocked = !self.may_send();
        let due = match blocked {
            true => Instant::now() + LAST_PAUSE,
            false => self.not_before,
        };
        let timer = tokio::time::sleep_until(due.into());
        match &mut self.disk {
            Some(disk) if disk.busy => tokio::select! {
                () = disk.wait() => {}
                () = timer => {}
            },
            _ => timer.await,
        }
    }

    /// Whether the next one is here and not on disk.
    fn may_send(&self) -> bool {
        let disk_first = self
            .disk
            .as_ref()
            .is_some_and(|disk| disk.busy || disk.stock.records > 0);
        !self.head.is_empty() || (!disk_first && !self.queue.is_empty())
    }

    /// Does a slice of what waits: about a millisecond, and never blocks.
    pub fn turn(&mut self) {
        let begun = Instant::now();
        self.disk_done(begun);
        if begun >= self.not_before {
            self.send_waiting(begun);
        }
        self.order(begun);
        if self.waiting() == 0 {
            self.pause = Duration::ZERO;
            self.watch.drained(begun);
        }
    }

    fn send_waiting(&mut self, begun: Instant) {
        let mut now = begun;
        while self.may_send() && now < begun + SLICE {
            let (entry, late) = match (self.head.front(), self.queue.front_mut()) {
                (Some((entry, _)), _) => (entry, true),
                (None, Some(waiting)) => {
                    if !waiting.marked && now.duration_since(waiting.since) >= LATE {
                        self.queue_bytes += waiting.entry.mark_late();
                        waiting.marked = true;
                    }
                    (&waiting.entry, waiting.marked)
                }
                (None, None) => return,
            };
            let outcome = self.socket.send(entry);
            now = Instant::now();
            match outcome {
                Ok(()) => {
                    self.figures.sent += 1;
                    self.figures.late += u64::from(late);
                    self.watch.taken(now, late);
                    self.pause = Duration::ZERO;
                }
                Err(NotSent::Never(error)) => self.drop_some(Dropped::Unsendable, 1, now, &error),
                Err(NotSent::Slow(error) | NotSent::Away(error)) => {
                    return self.refused(now, &error);
                }
            }
            match self.head.pop_front() {
                Some((_, mark)) => self.sent = Some(mark),
                None => {
                    let gone = self.queue.pop_front();
                    self.queue_bytes -= gone.map_or(0, |gone| gone.entry.bytes().len());
                }
            }
        }
    }

    /// Gives the disk its next job, where it has none.
    fn order(&mut self, now: Instant) {
        let Some(disk) = self.disk.as_mut().filter(|disk| !disk.busy) else {
            return;
        };
        let read = self.head.is_empty() && disk.stock.records > 0;
        if read || (self.head.is_empty() && self.sent.is_some()) {
            let sent = self.sent.take();
            return disk.order(Job::Next { sent, read });
        }
        let is_late = |waiting: &Waiting| now.saturating_duration_since(waiting.since) >= LATE;
        let wanted = self.queue.front().is_some_and(is_late)
            || self.queue.len() > self.limits.entries / 2
            || self.queue_bytes > self.limits.bytes / 2;
        let allowed = self.full.as_ref().is_none_or(|(_, _, again)| now >= *again);
        if wanted && allowed {
            self.keep();
        }
    }

    fn keep(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        let mut batch = VecDeque::new();
        let mut bytes = 0;
        while bytes < BATCH
            && let Some(waiting) = self.queue.pop_front()
        {
            bytes += waiting.entry.bytes().len();
            batch.push_back(waiting);
        }
        self.queue_bytes -= bytes;
        self.moving = (batch.len(), bytes);
        disk.order(Job::Keep(batch));
    }

    fn disk_done(&mut self, now: Instant) {
        let Some(done) = self.disk.as_mut().and_then(Disk::done) else {
            return;
        };
        match done {
            Done::Opened(Ok(opened)) => {
                self.drop_some(
                    Dropped::Damaged,
                    opened.damaged,
                    now,
                    &Dropped::Damaged.sentence(),
                );
                if let Some(file) = opened.foreign.first() {
                    self.watch.say(format!(
                        "`{}` is no file of this version's; it is left as it is and its alerts are not sent",
                        file.display()
                    ));
                }
            }
            Done::Opened(Err(error)) => {
                self.disk = None;
                self.watch.say(format!(
                    "the folder for what journald does not take can't be used: {error}; beyond {} entries nothing is kept",
                    self.limits.entries
                ));
            }
            Done::Read { entries, damaged } => {
                self.drop_some(Dropped::Damaged, damaged, now, &Dropped::Damaged.sentence());
                for (bytes, mark) in entries {
                    let mut entry = Entry::from_bytes(bytes);
                    entry.mark_late();
                    self.head.push_back((entry, mark));
                }
            }
            Done::Kept(mut back, kept) => {
                self.moving = (0, 0);
                self.full = kept.err().map(|error| {
                    let cause = match error {
                        KeepError::Full(_) => Dropped::SpillFull,
                        KeepError::Disk(_) => Dropped::SpillFailed,
                    };
                    (cause, error.to_string(), now + LAST_PAUSE)
                });
                while let Some(waiting) = back.pop_back() {
                    self.queue_bytes += waiting.entry.bytes().len();
                    self.queue.push_front(waiting);
                }
            }
        }
    }

    /// What there is to say to all outputs, since the last time.
    pub fn notices(&mut self) -> Vec<Notice> {
        self.watch.take()
    }

    /// For the metrics.
    pub fn figures(&self) -> OutboxFigures {
        let stock = self
            .disk
            .as_ref()
            .map(|disk| disk.stock)
            .unwrap_or_default();
        let read_back: usize = self.head.iter().map(|(entry, _)| entry.bytes().len()).sum();
        OutboxFigures {
            queued: (self.queue.len() + self.moving.0) as u64,
            queued_bytes: (self.queue_bytes + self.moving.1) as u64,
            spilled: stock.records + self.head.len() as u64,
            spilled_bytes: stock.bytes + read_back as u64,
            ..self.figures.clone()
        }
    }

    /// Sends what it can within `patience`, then puts the rest on disk. What is lost is in the
    /// figures that come back.
    pub async fn close(mut self, patience: Duration) -> OutboxFigures {
        let until = Instant::now() + patience;
        let mut stuck = false;
        while !stuck && self.waiting() > 0 {
            stuck = tokio::time::timeout_at(until.into(), self.ready())
                .await
                .is_err();
            self.turn();
        }
        // The disk has its own time: it is what keeps them.
        let until = Instant::now() + LAST_PAUSE;
        while let Some(disk) = &mut self.disk {
            if disk.busy {
                if tokio::time::timeout_at(until.into(), disk.wait())
                    .await
                    .is_err()
                {
                    break;
                }
                self.disk_done(Instant::now());
            } else if let Some(sent) = self.sent.take() {
                let sent = Some(sent);
                disk.order(Job::Next { sent, read: false });
            } else if !self.queue.is_empty() && self.full.is_none() {
                self.keep();
            } else {
                break;
            }
        }
        let left = (self.queue.len() + self.moving.0) as u64;
        if left > 0 {
            *self.figures.dropped.entry(Dropped::Closed).or_default() += left;
        }
        self.figures()
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
