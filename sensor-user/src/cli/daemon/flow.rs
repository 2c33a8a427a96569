//! From a batch of events to what is raised: enrich, record, ask the core, hand on.

use std::fs::File;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::clock::WallClock;
use super::outputs::Outputs;
use super::say;
use crate::alert::schema::Host;
use crate::cli::recording::Recording;
use crate::cli::run::source::Batch;
use crate::core::{Core, Finding};
use crate::detect::Level;
use crate::edge::{Edge, boottime, host};
use crate::event::{Body, Counters, Event, Start};
use crate::health::metrics::{Metrics, OutboxFigures};
use crate::health::{Code, Health};

/// For the capture, at the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// The daemon's way from events to findings.
pub(super) struct Flow {
    pub(super) edge: Edge,
    recording: Recording,
    pub(super) core: Core,
    pub(super) outputs: Outputs,
    pub(super) metrics: Metrics,
    clock: WallClock,
    pub(super) host: Host,
    /// Already told that the edge reads nothing any more.
    edge_told: bool,
}

impl Flow {
    /// Begins with the record of the start.
    pub(super) fn begin(core: Core, outputs: Outputs, record: Option<File>, start: Start) -> Self {
        let mut metrics = Metrics::new(SystemTime::now());
        metrics.hooks(&start.hooks);
        let mut flow = Self {
            edge: Edge::default(),
            recording: Recording::default(),
            core,
            outputs,
            metrics,
            clock: WallClock::new(start.wall_offset),
            host: (&host()).into(),
            edge_told: false,
        };
        if let Some(file) = record {
            match Recording::to(file) {
                Ok(recording) => flow.recording = recording,
                Err(ended) => flow.failing(ended.to_string()),
            }
        }
        flow.own(Body::Start(Box::new(start)));
        flow
    }

    /// Handles a batch. Its accounting comes first, so that an alert's completeness reaches up to the
    /// end of the batch it is in.
    pub(super) async fn batch(&mut self, batch: Batch) {
        self.look_at_the_clock();
        let time = batch.events.first().map(|event| event.time);
        self.count(time.unwrap_or_else(boottime), batch.counters);
        self.handle(batch.events).await;
        let is_broken = self.edge.is_broken();
        if is_broken != std::mem::replace(&mut self.edge_told, is_broken) {
            match is_broken {
                true => {
                    let cause = "reads of watched packages' files did not come back in time; for \
                                 ten minutes or more none is begun";
                    self.health(Code::ReadRefused, cause.to_owned(), None);
                }
                false => say::info("files of watched packages are read again"),
            }
        }
        self.flush();
    }

    /// The accounting; with it the core looks for install sessions that are over.
    pub(super) fn count(&mut self, time: u64, counters: Counters) {
        self.metrics.ring_read(SystemTime::now(), &counters);
        self.take(Event {
            time,
            ..own(Body::Counters(counters))
        });
    }

    /// Handles events without an accounting of their own.
    pub(super) async fn handle(&mut self, events: Vec<Event>) {
        for event in self.edge.enrich(events).await {
            self.take(event);
        }
    }

    /// Tells the core of a clock that was set. Costs two readings of a clock.
    pub(super) fn look_at_the_clock(&mut self) {
        if let Some(wall_offset) = self.clock.moved() {
            self.own(Body::Clock { wall_offset });
        }
    }

    pub(super) fn own(&mut self, body: Body) {
        self.take(own(body));
    }

    fn take(&mut self, event: Event) {
        if let Err(ended) = self.recording.write(&event) {
            self.failing(ended.to_string());
        }
        for finding in self.core.handle(&event) {
            match finding {
                Finding::Alert(alert) => {
                    self.metrics.alert(&alert);
                    if let Some(error) = self.outputs.alert(alert) {
                        self.failing(error.to_string());
                    }
                }
                Finding::Suppressed(alert) => {
                    self.metrics.suppressed(&alert);
                    self.outputs.suppressed(alert);
                }
                Finding::Health(health) => self.tell(&health),
                Finding::Session(report) => self.outputs.session(report),
            }
        }
    }

    /// An output does not work.
    pub(super) fn failing(&mut self, cause: String) {
        self.health(Code::OutputFailing, cause, None);
    }

    /// The sensor about itself, beyond what the core knows.
    pub(super) fn health(&mut self, code: Code, cause: String, since: Option<String>) {
        let time = format!("{:.9}", Timestamp::now());
        let health = Health::new(self.host.clone(), time, code, cause, since);
        self.tell(&health);
    }

    pub(super) fn tell(&mut self, health: &Health) {
        let said = format!("{}: {}", health.code.name(), health.cause);
        match health.level {
            Level::Informational => say::info(&said),
            _ => say::warn(&said),
        }
        self.metrics.health(health.code);
        let failed = self.outputs.health(health);
        // An output that fails on the news of its failure is not told of that.
        if let Some(error) = failed
            && health.code != Code::OutputFailing
        {
            self.failing(error.to_string());
        }
    }

    /// Reads what is still held: before the snapshot, so that it is in the sessions.
    pub(super) async fn read_the_rest(&mut self) {
        for event in self.edge.rest().await {
            self.take(event);
        }
    }

    /// The last records.
    pub(super) fn end(&mut self) {
        self.own(Body::End);
        self.flush();
    }

    fn flush(&mut self) {
        if let Err(ended) = self.recording.flush() {
            self.failing(ended.to_string());
        }
    }

    /// Gives what waits for the outputs and the capture some time. As [`Outputs::close`].
    pub(super) async fn close(&mut self) -> (OutboxFigures, u64) {
        let recording = std::mem::take(&mut self.recording).close(PATIENCE);
        let (closed, recorded) = tokio::join!(self.outputs.close(), recording);
        if let Err(ended) = recorded {
            say::error(&ended.to_string());
        }
        closed
    }
}

fn own(body: Body) -> Event {
    Event {
        time: boottime(),
        cpu: 0,
        sequence: 0,
        body,
    }
}
