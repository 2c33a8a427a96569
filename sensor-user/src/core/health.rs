//! What events say about the sensor itself: its start, its clock, its accounting, its integrity.

use std::rc::Rc;

use super::{Core, Finding, completeness};
use crate::event::{Actor, Counters, Start};
use crate::health::{Code, Health};
use crate::names::Table;

/// A total that grows, told at its first, when it has doubled, and otherwise once a minute: neither a
/// flood nor the loss of an hour that is told with another's.
#[derive(Debug, Default)]
pub(super) struct Told {
    total: u64,
    at: u64,
}

impl Told {
    fn is_news(&mut self, total: u64, time: u64) -> bool {
        const MINUTE: u64 = 60_000_000_000;
        let is_later = time.saturating_sub(self.at) >= MINUTE;
        let is_news = total > self.total && (is_later || total / 2 >= self.total);
        if is_news {
            *self = Self { total, at: time };
        }
        is_news
    }
}

impl Core {
    /// Parts of the sensor were taken out of the kernel.
    pub fn is_tampered(&self) -> bool {
        self.tampered
    }

    /// Events that were lost since that was last told.
    pub fn untold_losses(&self) -> u64 {
        self.counters.lost().saturating_sub(self.lost_told.total)
    }

    /// What would have been told a little later.
    pub(super) fn last_words(&mut self, time: u64, findings: &mut Vec<Finding>) {
        if self.untold_losses() > 0 {
            self.lost_told = Told::default();
            let counters = self.counters.clone();
            self.count(&counters, time, findings);
        }
    }

    pub(super) fn begin(&mut self, start: &Start, time: u64, findings: &mut Vec<Finding>) {
        if std::mem::replace(&mut self.started, true) {
            // The sensor was away: what open sessions did meanwhile was not seen, nor what they were told.
            self.sessions.gap();
            self.names = Table::default();
            self.names.forgot(time);
        }
        self.start = Rc::new(start.clone());
        let users = start.users.iter();
        self.users = users
            .map(|user| (user.uid, user.name.as_str().into()))
            .collect();
        self.subjects.forget();
        self.tampered = false;
        self.counters = Counters::default();
        self.counters_before = Counters::default();
        self.lost_told = Told::default();
        self.refused_told = Told::default();
        self.sessions.counters_restarted();
        self.tally.begin(start);
        if start.blind {
            let cause = format!("no hook could be attached: {}", start.degraded.join("; "));
            findings.push(self.health(Code::HookMissing, cause, time));
        }
    }

    /// Times are told by the new clock from here on. Only a jump is worth a word: a time service slews.
    pub(super) fn clock_moved(&mut self, wall_offset: i64, time: u64, findings: &mut Vec<Finding>) {
        const JUMP: i64 = 1_000_000_000;
        let start = Rc::make_mut(&mut self.start);
        let moved = wall_offset.saturating_sub(start.wall_offset);
        start.wall_offset = wall_offset;
        if moved.abs() >= JUMP {
            let way = if moved > 0 { "forward" } else { "back" };
            let seconds = moved.unsigned_abs() as f64 / 1e9;
            let cause = format!("the wall clock was set {way} by {seconds:.3} s");
            findings.push(self.health(Code::ClockJump, cause, time));
        }
    }

    /// Root can take our programs off their hooks, or change what they are told; others can't.
    pub(super) fn tampered(&mut self, missing: &[String], time: u64, findings: &mut Vec<Finding>) {
        self.tampered = true;
        let cause = format!(
            "these were in the kernel and are not any more: {}",
            missing.join(", ")
        );
        findings.push(self.health(Code::Tampered, cause, time));
    }

    pub(super) fn count(&mut self, counters: &Counters, time: u64, findings: &mut Vec<Finding>) {
        if self.lost_told.is_news(counters.lost(), time) {
            let none = Counters::default();
            let kinds: Vec<_> = completeness::lost_between(&none, counters)
                .iter()
                .map(|(kind, count)| format!("{count} {kind}"))
                .collect();
            let cause = format!("events were lost so far: {}", kinds.join(", "));
            findings.push(self.health(Code::EventsLost, cause, time));
        }
        let refused = counters.lineage_full;
        if self.refused_told.is_news(refused, time) {
            let cause =
                format!("processes that could not be added to the watched set so far: {refused}");
            findings.push(self.health(Code::LineageFull, cause, time));
        }
        self.counters_before = std::mem::replace(&mut self.counters, counters.clone());
    }

    pub(super) fn io_uring(&mut self, actor: &Actor, time: u64, findings: &mut Vec<Finding>) {
        let process = self.lineage.acting(actor, time).clone();
        if self.sessions.io_uring_used(&process) {
            let executable = process.image().map_or_else(
                || format!("process {}", actor.process.pid),
                |image| image.executable.escaped(),
            );
            let cause = format!("{executable} used io_uring");
            findings.push(self.health(Code::IoUringUsed, cause, time));
        }
        self.tally.io_uring_used();
    }

    pub(super) fn health(&self, code: Code, cause: String, time: u64) -> Finding {
        let time = self.host_clock().rfc3339(time);
        Finding::Health(Health::new(self.host(), time, code, cause, None))
    }
}
