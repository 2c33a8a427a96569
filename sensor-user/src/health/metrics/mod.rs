//! The daemon's figures as Prometheus text. The names are here and nowhere else: the daemon hands
//! over what it counted.
//!
//! Cardinality is bounded: every label is of a fixed set, except the filter's name, of which only the
//! first [`FILTERS`] have a series of their own.

mod exposition;
mod textfile;

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use crate::alert::schema::Alert;
use crate::alert::words::{branch_name, level_name};
use crate::detect::{Branch, Level};
use crate::event::{Count, Counters};

use super::Code;
use exposition::Family;
pub use textfile::write_textfile;

/// How many filters have a series of their own; the others share `filter="other"`.
pub const FILTERS: usize = 64;

const BRANCHES: [Branch; 4] = [
    Branch::PackageInstallSpawnedSuspiciousProcess,
    Branch::MaliciousLibraryC2Callback,
    Branch::PackageInstallerDroppedExecutable,
    Branch::CredentialStoreAccess,
];
const LEVELS: [Level; 5] = [
    Level::Informational,
    Level::Low,
    Level::Medium,
    Level::High,
    Level::Critical,
];

/// Why a record did not reach journald.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// Memory is full, and the disk is too slow or there is none.
    QueueFull,
    /// Memory is full, and so is the space on disk that may be used.
    SpillFull,
    /// Memory is full, and the disk can't be written.
    SpillFailed,
    /// It was on disk and is unreadable.
    Damaged,
    /// The kernel takes no entry of its size.
    Unsendable,
    /// The daemon ended and could neither send nor keep it.
    Closed,
}

impl Dropped {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::QueueFull,
        Self::SpillFull,
        Self::SpillFailed,
        Self::Damaged,
        Self::Unsendable,
        Self::Closed,
    ];

    /// As the label says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::SpillFull => "spill_full",
            Self::SpillFailed => "spill_failed",
            Self::Damaged => "damaged",
            Self::Unsendable => "unsendable",
            Self::Closed => "closed",
        }
    }

    /// As a health record says it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::QueueFull => "the queue for it is full",
            Self::SpillFull => "the space on disk for what waits is full",
            Self::SpillFailed => "what waits can't be written to disk",
            Self::Damaged => "what waited on disk is unreadable",
            Self::Unsendable => "the kernel makes no file for an entry of its size",
            Self::Closed => "the daemon ended before they could be sent or kept",
        }
    }
}

/// What waits for journald, and what became of what did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxFigures {
    /// Entries in memory.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Entries on disk.
    pub spilled: u64,
    /// Their bytes.
    pub spilled_bytes: u64,
    /// Taken by journald.
    pub sent: u64,
    /// Of these, more than a second after they were raised.
    pub late: u64,
    /// Not taken and not kept.
    pub dropped: BTreeMap<Dropped, u64>,
}

/// What the daemon's store takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// On disk.
    pub bytes: u64,
    /// Records that could not be written.
    pub errors: u64,
}

/// Everything that is measured. Totals are since the daemon's start.
#[derive(Debug, Clone)]
pub struct Metrics {
    started: SystemTime,
    ring_read: Option<SystemTime>,
    counters: Counters,
    alerts: HashMap<(Branch, Level), u64>,
    suppressed: BTreeMap<String, u64>,
    health: HashMap<Code, u64>,
    sessions_open: u64,
    lineage: u64,
    outbox: OutboxFigures,
    store: StoreFigures,
    hooks: Vec<(String, String)>,
    resident: Option<u64>,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new(started: SystemTime) -> Self {
        Self {
            started,
            ring_read: None,
            counters: Counters::default(),
            alerts: HashMap::new(),
            suppressed: BTreeMap::new(),
            health: HashMap::new(),
            sessions_open: 0,
            lineage: 0,
            outbox: OutboxFigures::default(),
            store: StoreFigures::default(),
            hooks: Vec::new(),
            resident: None,
        }
    }

    /// The rings were read, and this is the accounting.
    pub fn ring_read(&mut self, at: SystemTime, counters: &Counters) {
        self.ring_read = Some(at);
        self.counters.clone_from(counters);
    }

    /// An alert was raised.
    pub fn alert(&mut self, alert: &Alert) {
        let key = (alert.detection_branch, alert.level);
        *self.alerts.entry(key).or_default() += 1;
    }

    /// One was silenced.
    pub fn suppressed(&mut self, alert: &Alert) {
        let filter = alert.evidence.suppressed_by.as_deref().unwrap_or("other");
        let known = self.suppressed.contains_key(filter) || self.suppressed.len() < FILTERS;
        let filter = if known { filter } else { "other" };
        *self.suppressed.entry(filter.to_owned()).or_default() += 1;
    }

    /// The sensor said something about itself.
    pub fn health(&mut self, code: Code) {
        *self.health.entry(code).or_default() += 1;
    }

    /// Install sessions that are open.
    pub fn sessions_open(&mut self, sessions: u64) {
        self.sessions_open = sessions;
    }

    /// Processes that are watched.
    pub fn lineage(&mut self, processes: u64) {
        self.lineage = processes;
    }

    /// The outbox as it stands.
    pub fn outbox(&mut self, figures: OutboxFigures) {
        self.outbox = figures;
    }

    /// The store as it stands.
    pub fn store(&mut self, figures: StoreFigures) {
        self.store = figures;
    }

    /// Which hook feeds which kind, as a start record has it: `exec: btf_tracepoint …`.
    pub fn hooks(&mut self, hooks: &[String]) {
        let pair = |hook: &String| {
            let (kind, hook) = hook.split_once(": ")?;
            Some((kind.to_owned(), hook.to_owned()))
        };
        self.hooks = hooks.iter().filter_map(pair).collect();
    }

    /// Reads the daemon's own memory from /proc.
    pub fn measure(&mut self) {
        let page = procfs::page_size();
        self.resident = procfs::process::Process::myself()
            .and_then(|process| process.statm())
            .ok()
            .map(|statm| statm.resident * page);
    }

    /// Prometheus text, version 0.0.4.
    pub fn render(&self) -> String {
        exposition::text(self.families())
    }

    fn families(&self) -> Vec<Family> {
        let mut families = self.of_the_daemon();
        families.extend(self.of_events());
        families.extend(self.of_findings());
        families.extend(self.of_outputs());
        families
    }

    fn of_the_daemon(&self) -> Vec<Family> {
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        let mut families = vec![
            Family::gauge("build_info", "The daemon's version.").with(version, 1.0),
            Family::gauge(
                "start_time_seconds",
                "When the daemon started, in seconds since 1970.",
            )
            .value(exposition::seconds(self.started)),
        ];
        if let Some(bytes) = self.resident {
            let help = "Resident memory of the daemon.";
            families.push(Family::gauge("resident_memory_bytes", help).value(bytes as f64));
        }
        let mut hooks = Family::gauge("hook_info", "Which kernel hook feeds a kind of event.");
        for (kind, hook) in &self.hooks {
            hooks = hooks.with(vec![("kind", kind.clone()), ("hook", hook.clone())], 1.0);
        }
        families.push(hooks);
        families
    }

    fn of_events(&self) -> Vec<Family> {
        type Field = (&'static str, &'static str, fn(&Count) -> u64);
        let fields: [Field; 5] = [
            ("events_generated", "Events that the probes met.", |c| {
                c.generated
            }),
            (
                "events_delivered",
                "Events that the probes put into a ring.",
                |c| c.delivered,
            ),
            ("events_received", "Events that came out of a ring.", |c| {
                c.received
            }),
            ("events_filtered", "Events that no rule asks for.", |c| {
                c.filtered
            }),
            ("events_lost", "Events that were lost.", |c| c.lost),
        ];
        let mut families = Vec::new();
        for (name, help, of) in fields {
            let mut family = Family::counter(name, help);
            for (kind, count) in self.counters.kinds.iter() {
                family = family.with(vec![("kind", kind.to_owned())], of(count) as f64);
            }
            families.push(family);
        }
        let refused = self.counters.lineage_full as f64;
        families.extend([
            Family::gauge("lineage_processes", "Processes that are watched.")
                .value(self.lineage as f64),
            Family::counter(
                "lineage_refused",
                "Processes that could not be added to the watched set: it was full.",
            )
            .value(refused),
        ]);
        if let Some(at) = self.ring_read {
            let help = "When the rings were last read, in seconds since 1970.";
            let family = Family::gauge("last_ring_read_timestamp_seconds", help);
            families.push(family.value(exposition::seconds(at)));
        }
        families
    }

    fn of_findings(&self) -> Vec<Family> {
        let mut alerts = Family::counter("alerts", "Alerts that were raised.");
        for branch in BRANCHES {
            for level in LEVELS {
                let count = self.alerts.get(&(branch, level)).copied();
                let labels = vec![
                    ("branch", branch_name(branch).to_owned()),
                    ("level", level_name(level).to_owned()),
                ];
                alerts = alerts.with(labels, count.unwrap_or_default() as f64);
            }
        }
        let help = "Alerts that a filter or trust silenced.";
        let mut suppressed = Family::counter("alerts_suppressed", help);
        for (filter, count) in &self.suppressed {
            suppressed = suppressed.with(vec![("filter", filter.clone())], *count as f64);
        }
        let mut health = Family::counter("health", "Health records that were raised.");
        for code in Code::ALL {
            let count = self.health.get(code).copied().unwrap_or_default();
            health = health.with(vec![("code", code.name().to_owned())], count as f64);
        }
        let open = Family::gauge("sessions_open", "Install sessions that are open.");
        vec![
            alerts,
            suppressed,
            health,
            open.value(self.sessions_open as f64),
        ]
    }

    fn of_outputs(&self) -> Vec<Family> {
        let outbox = &self.outbox;
        let gauge = |name, help, value: u64| Family::gauge(name, help).value(value as f64);
        let count = |name, help, value: u64| Family::counter(name, help).value(value as f64);
        let help = "Records that did not reach journald.";
        let mut dropped = Family::counter("journal_dropped", help);
        for cause in Dropped::ALL {
            let count = outbox.dropped.get(&cause).copied().unwrap_or_default();
            dropped = dropped.with(vec![("cause", cause.name().to_owned())], count as f64);
        }
        vec![
            gauge(
                "journal_queued",
                "Records in memory that wait for journald.",
                outbox.queued,
            ),
            gauge("journal_queued_bytes", "Their bytes.", outbox.queued_bytes),
            gauge(
                "journal_spilled",
                "Records on disk that wait for journald.",
                outbox.spilled,
            ),
            gauge(
                "journal_spilled_bytes",
                "Their bytes.",
                outbox.spilled_bytes,
            ),
            count("journal_sent", "Records that journald took.", outbox.sent),
            count(
                "journal_late",
                "Records that journald took more than a second after they were raised.",
                outbox.late,
            ),
            dropped,
            gauge("store_bytes", "Size of the store.", self.store.bytes),
            count(
                "store_errors",
                "Records that the store could not write.",
                self.store.errors,
            ),
        ]
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
