//! From a batch of events to what is raised: enrich, record, ask the core, hand on.

use std::fs::File;
use std::time::Duration;

use jiff::Timestamp;

use super::sinks::{Sinks, say_line};
use super::source::Batch;
use crate::alert::report::Report;
use crate::cli::recording::{Ended, Recording};
use crate::core::{Core, Finding};
use crate::edge::{Edge, boottime, host};
use crate::event::{Body, Event, ProcessKey};
use crate::health::{Code, Health};

/// How long a capture's disk is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// One run's way from events to findings.
pub(crate) struct Pipeline {
    edge: Edge,
    recording: Recording,
    core: Core,
    pub(crate) sinks: Sinks,
    only: Option<(ProcessKey, u64)>,
    /// Why the report can't be complete, beyond what the core knows.
    troubles: Vec<String>,
    /// Already told that the edge reads nothing any more.
    edge_told: bool,
}

impl Pipeline {
    pub(crate) fn new(core: Core, sinks: Sinks) -> Self {
        Self {
            edge: Edge::default(),
            recording: Recording::default(),
            core,
            sinks,
            only: None,
            troubles: Vec::new(),
            edge_told: false,
        }
    }

    /// Records everything to this file.
    pub(crate) fn record_to(&mut self, file: File) {
        match Recording::to(file) {
            Ok(recording) => self.recording = recording,
            Err(ended) => not_recording(&ended),
        }
    }

    /// From now on takes only events of this tree, and none from before this time.
    pub(crate) fn only(&mut self, root: ProcessKey, since: u64) {
        self.only = Some((root, since));
    }

    /// Handles a batch. Its accounting comes first, so that an alert's completeness reaches up to
    /// the end of the batch it is in.
    pub(crate) async fn batch(&mut self, mut batch: Batch) {
        batch.events.retain(|event| self.is_wanted(event));
        let time = batch
            .events
            .first()
            .map_or_else(boottime, |event| event.time);
        self.take(own(time, Body::Counters(batch.counters)));
        for event in self.edge.enrich(batch.events).await {
            self.take(event);
        }
        if self.edge.is_broken() && !self.edge_told {
            self.edge_told = true;
            self.sinks.health(&edge_health());
        }
        self.flush();
    }

    /// Reads what was to be read when its writer has ended: the watch is over.
    pub(crate) async fn read_the_rest(&mut self) {
        for event in self.edge.rest().await {
            self.take(event);
        }
    }

    /// Until an output wants a turn. Can be cancelled.
    pub(crate) async fn output_ready(&mut self) {
        self.sinks.ready().await;
    }

    /// Gives the outputs a turn.
    pub(crate) fn turn(&mut self) {
        for notice in self.sinks.turn() {
            let health = notice.health((&host()).into(), Timestamp::now());
            self.sinks.health(&health);
        }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        let Some((root, since)) = self.only else {
            return true;
        };
        event.time >= since && event.body.actor().is_none_or(|actor| actor.root == root)
    }

    /// A record of the run's own, now.
    pub(crate) fn own(&mut self, body: Body) {
        self.take(own(boottime(), body));
    }

    /// A record of the run's own, at an earlier time.
    pub(crate) fn take_at(&mut self, time: u64, body: Body) {
        self.take(own(time, body));
    }

    fn take(&mut self, event: Event) {
        if let Err(ended) = self.recording.write(&event) {
            not_recording(&ended);
        }
        for finding in self.core.handle(&event) {
            match finding {
                Finding::Alert(alert) => self.sinks.alert(*alert),
                // A run's report is its only session.
                Finding::Suppressed(_) | Finding::Session(_) => {}
                Finding::Health(health) => self.sinks.health(&health),
            }
        }
    }

    /// Hands on what was recorded so far.
    pub(crate) fn flush(&mut self) {
        if let Err(ended) = self.recording.flush() {
            not_recording(&ended);
        }
    }

    /// Waits until the capture is written: it is worth nothing in part.
    pub(crate) async fn close_recording(&mut self) {
        let recording = std::mem::take(&mut self.recording);
        if let Err(ended) = recording.close(PATIENCE).await {
            not_recording(&ended);
        }
    }

    /// Something that makes the run incomplete.
    pub(crate) fn trouble(&mut self, sentence: String) {
        self.troubles.push(sentence);
    }

    /// The report as it stands.
    pub(crate) fn report(&self) -> Report {
        let mut report = self.core.report();
        if !self.troubles.is_empty() {
            report.completeness.complete = false;
            report
                .completeness
                .degraded
                .extend(self.troubles.iter().cloned());
        }
        report
    }
}

fn not_recording(ended: &Ended) {
    say_line(Some(format!("pkgwarden: {ended}")));
}

fn own(time: u64, body: Body) -> Event {
    Event {
        time,
        cpu: 0,
        sequence: 0,
        body,
    }
}

fn edge_health() -> Health {
    let cause =
        "three reads of watched packages' files did not come back in time; no more are begun";
    let time = Timestamp::now();
    Health::new(
        (&host()).into(),
        format!("{time:.9}"),
        Code::ReadRefused,
        cause.to_owned(),
        None,
    )
}
