//! Records that the store did not take, until somebody is told of them.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::health::Code;
use crate::state::{Entry, Record};

/// What was not kept and is not told of yet. The loop and the store's thread share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Unkept(Arc<Mutex<Option<Gap>>>);

/// Records that are missing, by the times they were raised at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) records: u64,
    /// CLOCK_REALTIME in nanoseconds.
    from: i64,
    to: i64,
}

impl Unkept {
    /// This one is missing.
    pub(super) fn add(&self, entry: &Entry) {
        let mut gap = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = gap.get_or_insert(Gap {
            records: 0,
            from: entry.at,
            to: entry.at,
        });
        gap.records += 1;
        gap.from = gap.from.min(entry.at).min(told_of(entry));
        gap.to = gap.to.max(entry.at);
    }

    /// What there is to tell.
    pub(super) fn get(&self) -> Option<Gap> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it: whoever does tells it.
    pub(super) fn take(&self) -> Option<Gap> {
        let mut gap = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gap.take()
    }
}

impl Gap {
    /// Whether something from then on (CLOCK_REALTIME, nanoseconds) is missing.
    pub(super) fn reaches(&self, since: Option<i64>) -> bool {
        since.is_none_or(|since| self.to >= since)
    }

    /// RFC 3339.
    pub(super) fn from(&self) -> String {
        time(self.from)
    }

    pub(super) fn sentence(&self) -> String {
        let (from, to) = (time(self.from), time(self.to));
        format!("{} records from {from} to {to} were not kept", self.records)
    }
}

/// From when on something was missing by what this record would have told, had it been kept.
fn told_of(entry: &Entry) -> i64 {
    let since = match &entry.record {
        Record::Health(health) if health.code == Code::RecordsLost => health.since.as_deref(),
        _ => None,
    };
    let since = since.and_then(|since| since.parse::<Timestamp>().ok());
    let since = since.and_then(|since| i64::try_from(since.as_nanosecond()).ok());
    since.unwrap_or(entry.at)
}

fn time(at: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(at)) {
        Ok(time) => format!("{time:.9}"),
        Err(_) => "an unknown time".to_owned(),
    }
}
