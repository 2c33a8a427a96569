//! When to say that journald does not get what it should, and that it does again.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::alert::schema::Host;
use crate::detect::Level;
use crate::health::{Code, Health};

/// Something to tell all outputs: journald may be the very one that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One sentence.
    pub cause: String,
    /// From when on.
    pub since: Option<Timestamp>,
    /// It works again.
    pub over: bool,
}

impl Notice {
    /// As a health record, `output_failing`; with level informational where it is over.
    pub fn health(self, host: Host, time: Timestamp) -> Health {
        let since = self.since.map(|since| format!("{since:.9}"));
        let time = format!("{time:.9}");
        let mut health = Health::new(host, time, Code::OutputFailing, self.cause, since);
        if self.over {
            health.level = Level::Informational;
        }
        health
    }
}

/// A time in which something waits for journald.
#[derive(Debug)]
struct Outage {
    began: Instant,
    since: Timestamp,
    /// When it last took one.
    progress: Instant,
    told: bool,
    late: u64,
    dropped: u64,
    /// Dropped ones are worth a word: the first, and then each time there are twice as many.
    dropped_to_tell: u64,
}

impl Outage {
    fn begin(now: Instant) -> Self {
        Self {
            began: now,
            since: Timestamp::now(),
            progress: now,
            told: false,
            late: 0,
            dropped: 0,
            dropped_to_tell: 1,
        }
    }
}

/// Follows one output.
#[derive(Debug)]
pub(super) struct Watch {
    output: String,
    patience: Duration,
    outage: Option<Outage>,
    notices: Vec<Notice>,
}

impl Watch {
    pub(super) fn new(output: String, patience: Duration) -> Self {
        Self {
            output,
            patience,
            outage: None,
            notices: Vec::new(),
        }
    }

    pub(super) fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Something waits or was dropped, and the end of that was not noted yet.
    pub(super) fn is_open(&self) -> bool {
        self.outage.is_some()
    }

    /// It was not taken, and waits.
    pub(super) fn refused(&mut self, now: Instant, why: &str, waiting: u64) {
        let outage = self.outage.get_or_insert_with(|| Outage::begin(now));
        let silent = now.saturating_duration_since(outage.progress);
        if silent < self.patience || std::mem::replace(&mut outage.told, true) {
            return;
        }
        let notice = Notice {
            since: Some(outage.since),
            cause: format!(
                "journald at `{}` takes no entries: {why}; {waiting} wait, the other outputs have them",
                self.output
            ),
            over: false,
        };
        self.notices.push(notice);
    }

    /// One was taken.
    pub(super) fn taken(&mut self, now: Instant, late: bool) {
        if let Some(outage) = &mut self.outage {
            outage.progress = now;
            outage.late += u64::from(late);
        }
    }

    /// Some could not be kept. `why` says what is in the way.
    pub(super) fn dropped(&mut self, now: Instant, count: u64, why: &str) {
        let output = &self.output;
        let outage = self.outage.get_or_insert_with(|| Outage::begin(now));
        outage.dropped += count;
        if outage.dropped < outage.dropped_to_tell {
            return;
        }
        outage.dropped_to_tell = outage.dropped.saturating_mul(2);
        outage.told = true;
        let notice = Notice {
            since: Some(outage.since),
            cause: format!(
                "{} records do not reach journald at `{output}`: {why}; the other outputs have them",
                outage.dropped
            ),
            over: false,
        };
        self.notices.push(notice);
    }

    /// Something about the place where they wait.
    pub(super) fn say(&mut self, cause: String) {
        self.notices.push(Notice {
            cause,
            since: None,
            over: false,
        });
    }

    /// Nothing waits any more.
    pub(super) fn drained(&mut self, now: Instant) {
        let Some(outage) = self.outage.take() else {
            return;
        };
        if !outage.told {
            return;
        }
        let notice = Notice {
            since: Some(outage.since),
            cause: format!(
                "journald at `{}` has everything again after {} s: {} records came late, {} never",
                self.output,
                now.saturating_duration_since(outage.began).as_secs(),
                outage.late,
                outage.dropped
            ),
            over: true,
        };
        self.notices.push(notice);
    }
}
