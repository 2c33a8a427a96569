//! The log against crashes, full disks, damage and other versions.

mod crash;
mod damage;
mod disk;
mod follow;
mod query;

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::alert::sample;

const SECOND: i64 = 1_000_000_000;

pub(super) const LIMITS: Limits = Limits {
    max_bytes: 1 << 20,
    max_age: Duration::from_secs(3600),
};

/// A small entry that tells its number.
pub(super) fn numbered(number: u64) -> Entry {
    let mut health = sample::health();
    health.cause = number.to_string();
    Entry {
        owner: 0,
        at: now() + number as i64,
        record: Record::Health(Box::new(health)),
    }
}

pub(super) fn number_of(entry: &Entry) -> u64 {
    match &entry.record {
        Record::Health(health) => health.cause.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn everything() -> Query {
    Query {
        alerts: true,
        suppressed: true,
        health: true,
        sessions: true,
        ..Query::default()
    }
}

/// The numbers in the log, oldest first.
pub(super) fn numbers(dir: &Path) -> Vec<u64> {
    let (entries, _) = read(dir, &everything()).unwrap();
    entries.iter().rev().map(number_of).collect()
}

pub(super) fn now() -> i64 {
    super::store::now()
}
