//! The outbox's own thread: everything that waits for a disk happens there, one job at a time.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::spill::{KeepError, Mark, Opened, Spill, Stock};
use crate::sink::native::Entry;

/// One that waits in memory.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) entry: Entry,
    pub(super) since: Instant,
    /// The entry says already that it is late.
    pub(super) marked: bool,
}

#[derive(Debug)]
pub(super) enum Job {
    /// Everything up to there was sent; then, with `read`, the next ones are wanted.
    Next {
        sent: Option<Mark>,
        read: bool,
    },
    Keep(VecDeque<Waiting>),
}

/// What a job came to.
#[derive(Debug)]
pub(super) enum Done {
    Opened(io::Result<Opened>),
    Read {
        entries: Vec<(Vec<u8>, Mark)>,
        damaged: u64,
    },
    /// Those that are not on disk come back.
    Kept(VecDeque<Waiting>, Result<(), KeepError>),
}

/// The thread's other end.
#[derive(Debug)]
pub(super) struct Disk {
    jobs: Sender<Job>,
    done: UnboundedReceiver<(Done, Stock)>,
    /// An answer that [`Disk::wait`] took off the channel.
    arrived: Option<(Done, Stock)>,
    /// A job is under way.
    pub(super) busy: bool,
    /// What is on disk and was not read back.
    pub(super) stock: Stock,
}

impl Disk {
    /// Opening the folder is the first job.
    pub(super) fn start(folder: &Path, limit: u64) -> io::Result<Self> {
        let (jobs, todo) = channel();
        let (answers, done) = unbounded_channel();
        let folder = folder.to_owned();
        thread::Builder::new()
            .name("outbox".to_owned())
            .spawn(move || work(folder, limit, todo, answers))?;
        Ok(Self {
            jobs,
            done,
            arrived: None,
            busy: true,
            stock: Stock::default(),
        })
    }

    pub(super) fn order(&mut self, job: Job) {
        // The thread ends only with this sender.
        self.busy = self.jobs.send(job).is_ok();
    }

    /// Returns when the job is done. May be dropped at any time.
    pub(super) async fn wait(&mut self) {
        if self.arrived.is_none() {
            self.arrived = self.done.recv().await;
        }
    }

    /// What the job came to, where it is done.
    pub(super) fn done(&mut self) -> Option<Done> {
        let (done, stock) = self.arrived.take().or_else(|| self.done.try_recv().ok())?;
        self.busy = false;
        self.stock = stock;
        Some(done)
    }
}

fn work(folder: PathBuf, limit: u64, todo: Receiver<Job>, answers: UnboundedSender<(Done, Stock)>) {
    let mut spill = match Spill::open(&folder, limit) {
        Ok((spill, opened)) => {
            let _ = answers.send((Done::Opened(Ok(opened)), spill.stock()));
            spill
        }
        Err(error) => {
            let _ = answers.send((Done::Opened(Err(error)), Stock::default()));
            return;
        }
    };
    for job in todo {
        let done = match job {
            Job::Next { sent, read } => {
                if let Some(mark) = sent {
                    spill.sent(mark);
                }
                let (entries, damaged) = match read {
                    true => spill.read(),
                    false => Default::default(),
                };
                Done::Read { entries, damaged }
            }
            Job::Keep(mut entries) => {
                let kept = spill.keep(&mut entries, |waiting| waiting.entry.bytes());
                Done::Kept(entries, kept)
            }
        };
        if answers.send((done, spill.stock())).is_err() {
            return;
        }
    }
}
