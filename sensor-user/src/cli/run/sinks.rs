//! Where one run's findings go.

use std::fs::File;
use std::io::{self, IsTerminal, Stderr, Write};
use std::time::Duration;

use crate::alert::schema::Alert;
use crate::detect::Level;
use crate::health::Health;
use crate::sink::{Annotations, Lane, Ndjson, Notice, Outbox, Record, SinkError, Style, Text};

/// How long outputs are waited for at the end.
const PATIENCE: Duration = Duration::from_millis(500);

/// Alerts kept for the summary; the report counts all.
const KEPT: usize = 1_000;

/// The outputs of one run. What can't be written is said on standard error, and the run goes on.
pub(crate) struct Sinks {
    min_level: Level,
    text: Option<Text<Stderr>>,
    alerts: Option<Ndjson>,
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

    /// Without a file, to standard output.
    pub(crate) fn add_alerts(&mut self, file: Option<File>, name: &str) -> io::Result<()> {
        self.alerts = Some(Ndjson::new(Lane::of_alerts(file)?, name));
        Ok(())
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

    /// Until journald may take what waits, or the file of alerts was not written. Can be cancelled.
    pub(crate) async fn ready(&mut self) {
        let ready = async {
            match &mut self.journald {
                Some(journald) => journald.ready().await,
                None => std::future::pending().await,
            }
        };
        let failed = async {
            match &mut self.alerts {
                Some(alerts) => alerts.failed().await,
                None => std::future::pending().await,
            }
        };
        let error = tokio::select! {
            () = ready => return,
            error = failed => error,
        };
        self.failed(&error);
    }

    /// A slice of what waits for journald; what there is to say about it.
    pub(crate) fn turn(&mut self) -> Vec<Notice> {
        let Some(journald) = &mut self.journald else {
            return Vec::new();
        };
        journald.turn();
        journald.notices()
    }

    /// Gives what waits some time: a run has no state folder to leave it in.
    pub(crate) async fn close(&mut self) {
        let file = async |alerts: Option<Ndjson>| match alerts {
            Some(alerts) => alerts.close(PATIENCE).await,
            None => 0,
        };
        let journald = async |journald: Option<Outbox>| match journald {
            Some(journald) => journald.close(PATIENCE).await.dropped.values().sum(),
            None => 0,
        };
        let (missing, lost): (u64, u64) =
            tokio::join!(file(self.alerts.take()), journald(self.journald.take()));
        if self.text.is_none() {
            return;
        }
        if missing > 0 {
            say_line(Some(format!(
                "pkgwarden: {missing} records are missing in the file of alerts"
            )));
        }
        if lost > 0 {
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
