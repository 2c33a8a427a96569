//! Whether a session was seen whole: the accounting since it began, and what else hid something.

use std::collections::BTreeMap;

use crate::alert::schema::Completeness;
use crate::event::{Counters, ProcessKey};

use super::Core;

/// What counts against a session besides lost events.
#[derive(Debug, Default, Clone, Copy)]
struct Blots {
    late: bool,
    io_uring: bool,
    gap: bool,
    forks_missed: u64,
    chains_dropped: u64,
}

impl Core {
    /// Of one session, from its first event to now.
    pub(super) fn completeness_of(&self, key: ProcessKey) -> Completeness {
        let Some(session) = self.sessions.get(key) else {
            return self.completeness_of_watch();
        };
        let blots = Blots {
            late: session.late,
            io_uring: session.io_uring,
            gap: session.gap,
            forks_missed: self
                .lineage
                .forks_missed()
                .saturating_sub(session.forks_missed),
            chains_dropped: self.chains.dropped(key),
        };
        self.completeness(&session.baseline, blots)
    }

    /// Of everything since the sensor started.
    pub(super) fn completeness_of_watch(&self) -> Completeness {
        let blots = Blots {
            late: self.tally.late,
            io_uring: self.tally.io_uring,
            gap: false,
            forks_missed: self.lineage.forks_missed(),
            chains_dropped: 0,
        };
        self.completeness(&Counters::default(), blots)
    }

    fn completeness(&self, since: &Counters, blots: Blots) -> Completeness {
        let now = &self.counters;
        let sum = |of: fn(&crate::event::Count) -> u64| -> u64 {
            let total = |counters: &Counters| counters.kinds.values().map(of).sum::<u64>();
            total(now).saturating_sub(total(since))
        };
        let put = sum(|count| count.delivered);
        // Delivered by the kernel and not read yet: of now, whenever the session began.
        let waiting: u64 = now
            .kinds
            .values()
            .map(|count| count.delivered.saturating_sub(count.received))
            .sum();
        let in_flight = waiting.min(put);
        let lost_by_kind = lost_between(since, now);
        let full = now.lineage_full.saturating_sub(since.lineage_full);

        let mut degraded = self.start.degraded.clone();
        if blots.io_uring {
            degraded.push(
                "a process used io_uring, which can open, write and connect unseen".to_owned(),
            );
        }
        if blots.forks_missed > 0 {
            degraded.push(format!(
                "{} processes acted whose start was not seen",
                blots.forks_missed
            ));
        }
        if full > 0 {
            degraded.push(format!(
                "{full} processes could not be added to the watched set: it was full"
            ));
        }
        let late = now.out_of_order.saturating_sub(since.out_of_order);
        if late > 0 {
            // Seen all the same: only who descends from whom may be off.
            degraded.push(format!("{late} events were handled after later ones"));
        }
        if self.tampered {
            degraded.push("parts of the sensor were removed from the kernel".to_owned());
        }
        if blots.gap {
            degraded.push("the sensor was not running throughout".to_owned());
        }
        let withheld = now.withheld.saturating_sub(since.withheld);
        if withheld > 0 {
            degraded.push(format!(
                "{withheld} events of processes of other users were not shown: the daemon has them"
            ));
        }
        if blots.chains_dropped > 0 {
            // Each is an alert all the same: only what they amount to together may be missed.
            degraded.push(format!(
                "{} matches were not looked at for chains: there were too many",
                blots.chains_dropped
            ));
        }
        let lost = sum(|count| count.lost);
        Completeness {
            generated: sum(|count| count.generated),
            delivered: put - in_flight,
            filtered: sum(|count| count.filtered),
            in_flight,
            lost,
            complete: lost == 0
                && lost_by_kind.is_empty()
                && full == 0
                && withheld == 0
                && !self.start.blind
                && !self.tampered
                && !blots.late
                && !blots.io_uring
                && !blots.gap
                && blots.forks_missed == 0,
            lost_by_kind,
            hooks: self.start.hooks.clone(),
            degraded,
            started_late: blots.late,
        }
    }
}

/// What was lost between two snapshots, by kind, where anything was.
pub(super) fn lost_between(before: &Counters, after: &Counters) -> BTreeMap<String, u64> {
    let lost = |counters: &Counters, kind: &str| counters.kinds.get(kind).map_or(0, |c| c.lost);
    after
        .kinds
        .keys()
        .map(|kind| {
            let more = lost(after, kind).saturating_sub(lost(before, kind));
            (kind.to_owned(), more)
        })
        .filter(|(_, more)| *more > 0)
        .collect()
}
