//! Where one run's findings go.

use std::fs::File;
use std::io::{self, IsTerminal, Stderr, Write};
use std::time::Duration;

use jiff::Timestamp;

use crate::alert::schema::{Alert, Host};
use crate::detect::Level;
use crate::health::Health;
use crate::sink::{Annotations, Ndjson, Outbox, Record, SinkError, Style, Text};

/// How long journald is waited for at the end.
const PATIENCE: Duration = Duration::from_millis(500);

/// Alerts kept for the summary; the report counts all.
const KEPT: usize = 1_000;

/// The outputs of one run. What can't be written is said on standard error, and the run goes on.
pub(crate) struct Sinks {
    min_level: Level,
    text: Option<Text<Stderr>>,
    alerts: Option<Ndjson<Box<dyn Write>>>,
    journald: Option<Outbox>,
    annotations: Option<Annotations>,
    kept: Vec<Alert>,
    highest: Option<Level>,
}

impl Sinks {
    /// Findings to standard error, and to nothing else yet.
    pub(crate) fn to_stderr(min_level: Level) -> Self {
        let style = match io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            true => Style::Ansi,
            false => Style::Plain,
        };
        Self {
            text: Some(Text::new(io::stderr(), style, min_level)),
            ..Self::kept_only(min_level)
        }
    }

    /// Findings are only kept.
    pub(crate) fn kept_only(min_level: Level) -> Self {
        Self {
            min_level,
            text: None,
            alerts: None,
            journald: None,
            annotations: None,
            kept: Vec::new(),
            highest: None,
        }
    }

    pub(crate) fn add_alerts(&mut self, file: Option<File>, name: &str) {
        let out: Box<dyn Write> = match file {
            Some(file) => Box::new(file),
            None => Box::new(io::stdout()),
        };
        self.alerts = Some(Ndjson::new(out, name));
    }

    pub(crate) fn add_journald(&mut self, journald: Outbox) {
        self.journald = Some(journald);
    }

    pub(crate) fn add_annotations(&mut self) {
        self.annotations = Some(Annotations::default());
    }

    /// One alert, now.
    pub(crate) fn alert(&mut self, alert: Alert) {
        self.highest = self.highest.max(Some(alert.level));
        if let Some(text) = &mut self.text {
            // It counts what it leaves out.
            let _ = text.write(Record::Alert(&alert));
        }
        if alert.level >= self.min_level {
            self.write(Record::Alert(&alert));
            let line = self
                .annotations
                .as_mut()
                .and_then(|annotations| annotations.alert(&alert));
            say_line(line);
        }
        if self.kept.len() < KEPT {
            self.kept.push(alert);
        }
    }

    /// The sensor about itself. Never left out.
    pub(crate) fn health(&mut self, health: &Health) {
        if let Some(text) = &mut self.text {
            let _ = text.write(Record::Health(health));
        }
        self.write(Record::Health(health));
    }

    fn write(&mut self, record: Record<'_>) {
        let failed = self.alerts.as_mut().and_then(|sink| sink.write(record));
        if let Some(error) = failed {
            self.failed(&error);
        }
        if let Some(journald) = &mut self.journald {
            journald.send(record);
        }
    }

    /// Until journald may take what waits. Can be cancelled.
    pub(crate) async fn ready(&mut self) {
        match &mut self.journald {
            Some(journald) => journald.ready().await,
            None => std::future::pending().await,
        }
    }

    /// A slice of what waits for journald. What there is to say about it goes to the other outputs.
    pub(crate) fn turn(&mut self, host: &Host) {
        let Some(journald) = &mut self.journald else {
            return;
        };
        journald.turn();
        for notice in journald.notices() {
            self.health(&notice.health(host.clone(), Timestamp::now()));
        }
    }

    /// Sends what waits for journald, for a moment: a run has no state folder to leave it in.
    pub(crate) async fn close_journald(&mut self) {
        let Some(journald) = self.journald.take() else {
            return;
        };
        let figures = journald.close(PATIENCE).await;
        let lost: u64 = figures.dropped.values().sum();
        if lost > 0 && self.text.is_some() {
            say_line(Some(format!(
                "pkgwarden: {lost} records could not be sent to journald: is systemd-journald running?"
            )));
        }
    }

    fn failed(&self, error: &SinkError) {
        if self.text.is_some() {
            say_line(Some(format!("pkgwarden: {error}")));
        }
    }

    /// What a run says last.
    pub(crate) fn finish(&mut self, complete: bool) {
        if let Some(text) = &mut self.text {
            let _ = text.finish();
        }
        let line = self
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.finish(complete));
        say_line(line);
    }

    /// Whether an alert reached a level.
    pub(crate) fn reached(&self, level: Level) -> bool {
        self.highest >= Some(level)
    }

    /// The alerts, in the order raised.
    pub(crate) fn kept(&self) -> &[Alert] {
        &self.kept
    }
}

/// A line on standard error, in one write: other processes write there too. That nobody may read
/// it any more is no reason to stop.
pub(crate) fn say_line(line: Option<String>) {
    if let Some(line) = line {
        let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
    }
}
