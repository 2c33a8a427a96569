//! Putting records of two rings and many CPUs into one order: (time, CPU, sequence).
//!
//! A record is stamped before it is in the ring, so one that is stamped earlier may arrive later.
//! Records are therefore held back for [`HOLD`] before they are handed on; what arrives later still
//! is handed on at once, out of order, and counted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use foldhash::HashMap;

use super::decode::{Detail, Record};
use crate::event::{Body, Event};

/// Longer than any probe takes, unless the machine itself stops.
pub(super) const HOLD: Duration = Duration::from_millis(2);
/// How often a busy ring is read. An alert waits for it, and each time costs a wake-up and the
/// accounting: at 4 ms half of all alerts took 2 ms longer, at a third less of the daemon's own time.
pub(super) const CADENCE: Duration = Duration::from_millis(2);

#[derive(Default)]
pub(super) struct Order {
    pending: BinaryHeap<Reverse<Pending>>,
    /// Details of execs that are pending, by pid and time.
    details: HashMap<(u32, u64), Detail>,
    handed_on: u64,
    late: u64,
    added: u64,
}

struct Pending {
    /// Time, CPU, sequence; then the order of arrival, for the events of one record.
    key: (u64, u32, u64, u64),
    event: Event,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Pending {}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl Order {
    pub(super) fn add(&mut self, record: Record) {
        match record {
            Record::Event(event) => {
                let key = (event.time, event.cpu, event.sequence, self.added);
                self.added += 1;
                if event.time < self.handed_on {
                    self.late += 1;
                }
                self.pending.push(Reverse(Pending { key, event }));
            }
            Record::Detail(detail) => {
                self.details.insert((detail.pid, detail.time), detail);
            }
        }
    }

    /// Hands on all that is not younger than `until` (CLOCK_BOOTTIME, nanoseconds).
    pub(super) fn take(&mut self, until: u64) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(Reverse(first)) = self.pending.peek()
            && first.event.time <= until
        {
            let Some(Reverse(Pending { mut event, .. })) = self.pending.pop() else {
                break;
            };
            self.join(&mut event);
            events.push(event);
        }
        self.handed_on = self.handed_on.max(until);
        // What is left of older execs lost its small record.
        self.details.retain(|&(_, time), _| time > until);
        events
    }

    fn join(&mut self, event: &mut Event) {
        if let Body::Exec { actor, exec } = &mut event.body {
            match self.details.remove(&(actor.process.pid, event.time)) {
                Some(detail) => detail.complete(exec),
                None => exec.detail_lost = true,
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Records that came after a later one had been handed on.
    pub(super) fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: u64, cpu: u32, sequence: u64) -> Record {
        Record::Event(Event {
            time,
            cpu,
            sequence,
            body: Body::End,
        })
    }

    #[test]
    fn records_come_out_by_time_then_cpu_then_sequence() {
        let mut order = Order::default();
        for record in [
            at(5, 1, 9),
            at(5, 0, 3),
            at(4, 1, 8),
            at(5, 1, 8),
            at(9, 0, 4),
        ] {
            order.add(record);
        }
        let keys: Vec<_> = order
            .take(8)
            .iter()
            .map(|e| (e.time, e.cpu, e.sequence))
            .collect();
        assert_eq!(keys, [(4, 1, 8), (5, 0, 3), (5, 1, 8), (5, 1, 9)]);
        assert!(!order.is_empty());
        order.add(at(6, 0, 5));
        assert_eq!(order.late(), 1);
        assert_eq!(order.take(10).len(), 2);
    }
}
