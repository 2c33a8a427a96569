//! Where the daemon's findings go. What can't be written is health on the others, and the watch goes
//! on.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::alert::schema::Alert;
use crate::cli::run::output::{self, Manner, OutputError};
use crate::detect::Level;
use crate::health::Health;
use crate::sink::{Journald, Ndjson, Record, SinkError};

/// A file, or standard output.
type Out = Box<dyn Write>;

/// All outputs.
pub(super) struct Outputs {
    min_level: Level,
    file: Option<AlertsFile>,
    journald: Option<Journald>,
    journal_socket: PathBuf,
}

/// `--alerts`.
struct AlertsFile {
    path: PathBuf,
    sink: Ndjson<Out>,
}

impl AlertsFile {
    fn open(path: &Path) -> Result<Self, OutputError> {
        Ok(Self {
            path: path.to_owned(),
            sink: Ndjson::new(out(path)?, path.to_string_lossy()),
        })
    }
}

fn out(path: &Path) -> Result<Out, OutputError> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    // Added to: what an earlier daemon wrote stays.
    let file: File = output::create(path, Manner::Append)?;
    Ok(Box::new(file))
}

impl Outputs {
    /// Opens what is asked for.
    pub(super) fn open(
        min_level: Level,
        alerts: Option<&Path>,
        journald: bool,
        journal_socket: &Path,
    ) -> Result<Self, OutputError> {
        Ok(Self {
            min_level,
            file: alerts.map(AlertsFile::open).transpose()?,
            journald: journald
                .then(|| Journald::open(journal_socket))
                .transpose()
                .unwrap_or_default(),
            journal_socket: journal_socket.to_owned(),
        })
    }

    /// The same anew, after a log was rotated or the configuration changed. What can't be opened
    /// leaves the old file in use.
    pub(super) fn renew(
        &mut self,
        min_level: Level,
        alerts: Option<&Path>,
        journald: bool,
    ) -> Result<(), OutputError> {
        self.min_level = min_level;
        if journald != self.journald.is_some() {
            self.journald = journald
                .then(|| Journald::open(&self.journal_socket))
                .transpose()
                .unwrap_or_default();
        }
        match (&mut self.file, alerts) {
            (Some(file), Some(path)) if file.path == path => file.sink.reopen(out(path)?),
            (_, path) => self.file = path.map(AlertsFile::open).transpose()?,
        }
        Ok(())
    }

    /// One alert, now. What it could not be written to.
    pub(super) fn alert(&mut self, alert: &Alert) -> Vec<SinkError> {
        match alert.level >= self.min_level {
            true => self.write(Record::Alert(alert)),
            false => Vec::new(),
        }
    }

    /// The sensor about itself. Never left out.
    pub(super) fn health(&mut self, health: &Health) -> Vec<SinkError> {
        self.write(Record::Health(health))
    }

    fn write(&mut self, record: Record<'_>) -> Vec<SinkError> {
        let file = self.file.as_mut().and_then(|file| file.sink.write(record));
        let journald = self.journald.as_ref().map(|journald| journald.send(record));
        let journald = journald.and_then(Result::err);
        file.into_iter().chain(journald).collect()
    }
}
