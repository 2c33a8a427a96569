//! Where the daemon's findings go: a file, journald, the store, whoever follows. What can't be written
//! is health on the others, and the watch goes on.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::keeper::{Keeper, Said};
use crate::alert::report::Report;
use crate::alert::schema::Alert;
use crate::cli::run::output::{self, Manner, OutputError};
use crate::control::Followers;
use crate::detect::Level;
use crate::health::Health;
use crate::health::metrics::OutboxFigures;
use crate::sink::{Lane, Ndjson, Notice, Outbox, OutboxLimits, Record, SinkError};
use crate::state::{Entry, Query, Record as Kept};

/// What journald does not take at the end goes to disk after so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// All outputs.
pub(super) struct Outputs {
    min_level: Level,
    file: Option<AlertsFile>,
    pub(super) journald: Option<Outbox>,
    journal: Journal,
    pub(super) keeper: Keeper,
    pub(super) followers: Followers,
    /// What an earlier daemon told of sessions that go on, by the install's id.
    pub(super) earlier: BTreeMap<String, Report>,
}

/// Where journald is, and what waits for it.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    pub(super) socket: PathBuf,
    pub(super) spill: PathBuf,
}

impl Journal {
    fn open(&self) -> io::Result<Outbox> {
        Outbox::open(&self.socket, Some(&self.spill), OutboxLimits::default())
    }
}

/// What a policy says of outputs.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Limits the file and journald; everything is kept.
    pub(super) min_level: Level,
    pub(super) alerts: Option<PathBuf>,
    pub(super) journald: bool,
}

/// `--alerts`.
struct AlertsFile {
    path: PathBuf,
    sink: Ndjson,
}

impl AlertsFile {
    fn new(path: PathBuf, out: Lane) -> Self {
        Self {
            sink: Ndjson::new(out, path.to_string_lossy()),
            path,
        }
    }
}

/// A file, or standard output.
fn out(path: &Path) -> Result<Lane, OpenError> {
    let file = match path == Path::new("-") {
        true => None,
        // Added to: what an earlier daemon wrote stays.
        false => Some(output::create(path, Manner::Append)?),
    };
    Lane::of_alerts(file).map_err(OpenError::Thread)
}

/// Outputs that were opened and are not used yet.
pub(super) struct Anew {
    min_level: Level,
    file: Option<(PathBuf, Lane)>,
    with_journald: bool,
    /// Where there was none.
    journald: Option<Outbox>,
}

/// What an output wants of the loop.
pub(super) enum News {
    /// A turn.
    Journal,
    /// To be heard.
    Store(Said),
    /// The file of alerts is not written.
    File(SinkError),
}

/// Why an output can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    File(#[from] OutputError),
    #[error("no socket can be made to reach journald: {0}")]
    Journal(io::Error),
    #[error("no thread can be started to write alerts: {0}")]
    Thread(io::Error),
}

impl Outputs {
    /// Opens what is asked for.
    pub(super) fn open(
        wanted: &Wanted,
        journal: Journal,
        keeper: Keeper,
    ) -> Result<Self, OpenError> {
        let mut outputs = Self {
            min_level: wanted.min_level,
            file: None,
            journald: None,
            journal,
            keeper,
            followers: Followers::new(Query::wants),
            earlier: BTreeMap::new(),
        };
        let anew = outputs.open_anew(wanted)?;
        outputs.renew(anew);
        Ok(outputs)
    }

    /// Opens what is to be used from now on, after a log was rotated or the configuration changed.
    pub(super) fn open_anew(&self, wanted: &Wanted) -> Result<Anew, OpenError> {
        let journald = match wanted.journald && self.journald.is_none() {
            true => Some(self.journal.open().map_err(OpenError::Journal)?),
            false => None,
        };
        let file = match &wanted.alerts {
            Some(path) => Some((path.clone(), out(path)?)),
            None => None,
        };
        Ok(Anew {
            min_level: wanted.min_level,
            file,
            with_journald: wanted.journald,
            journald,
        })
    }

    /// Uses it.
    pub(super) fn renew(&mut self, anew: Anew) {
        self.min_level = anew.min_level;
        if !anew.with_journald {
            self.journald = None;
        } else if anew.journald.is_some() {
            self.journald = anew.journald;
        }
        match (&mut self.file, anew.file) {
            (Some(file), Some((path, out))) if file.path == path => file.sink.reopen(out),
            (_, file) => self.file = file.map(|(path, out)| AlertsFile::new(path, out)),
        }
    }

    /// One alert, now. What could not be written.
    pub(super) fn alert(&mut self, alert: Box<Alert>) -> Option<SinkError> {
        let failed = match alert.level >= self.min_level {
            true => self.write(Record::Alert(&alert)),
            false => None,
        };
        self.keep(owner(&alert), Kept::Alert(alert));
        failed
    }

    /// One that was silenced is only kept.
    pub(super) fn suppressed(&mut self, alert: Box<Alert>) {
        self.keep(owner(&alert), Kept::Suppressed(alert));
    }

    /// An install session that is over.
    pub(super) fn session(&mut self, report: Box<Report>) {
        let report = self.whole(*report);
        self.keep(session_owner(&report), Kept::Session(Box::new(report)));
    }

    /// The sensor about itself. Never left out.
    pub(super) fn health(&mut self, health: &Health) -> Option<SinkError> {
        let failed = self.write(Record::Health(health));
        self.keep(0, Kept::Health(Box::new(health.clone())));
        failed
    }

    /// With what an earlier daemon had told of it.
    pub(super) fn whole(&self, report: Report) -> Report {
        let install = report.installs.first();
        match install.and_then(|install| self.earlier.get(&install.id)) {
            Some(earlier) => report.continuing(earlier),
            None => report,
        }
    }

    /// For the store and whoever follows.
    pub(super) fn keep(&mut self, owner: u32, record: Kept) {
        let entry = Entry {
            owner,
            at: now(),
            record,
        };
        self.followers.publish(&entry);
        self.keeper.keep(entry);
    }

    fn write(&mut self, record: Record<'_>) -> Option<SinkError> {
        if let Some(journald) = &mut self.journald {
            journald.send(record);
        }
        self.file.as_mut().and_then(|file| file.sink.write(record))
    }

    /// Until journald may take what waits, or there is something to say of the store or the file. Can
    /// be cancelled.
    pub(super) async fn next(&mut self) -> News {
        let ready = async {
            match &mut self.journald {
                Some(journald) => journald.ready().await,
                None => std::future::pending().await,
            }
        };
        let failed = async {
            match &mut self.file {
                Some(file) => file.sink.failed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            said = self.keeper.said() => News::Store(said),
            error = failed => News::File(error),
            () = ready => News::Journal,
        }
    }

    /// A slice of what waits for journald; what there is to say about it.
    pub(super) fn turn(&mut self) -> Vec<Notice> {
        let Some(journald) = &mut self.journald else {
            return Vec::new();
        };
        journald.turn();
        journald.notices()
    }

    pub(super) fn figures(&self) -> OutboxFigures {
        self.journald
            .as_ref()
            .map(Outbox::figures)
            .unwrap_or_default()
    }

    /// Sends and writes what waits. What journald got, and how many lines the file lacks.
    pub(super) async fn close(&mut self) -> (OutboxFigures, u64) {
        let journald = async |journald: Option<Outbox>| match journald {
            Some(journald) => journald.close(PATIENCE).await,
            None => OutboxFigures::default(),
        };
        let file = async |file: Option<AlertsFile>| match file {
            Some(file) => file.sink.close(PATIENCE).await,
            None => 0,
        };
        tokio::join!(journald(self.journald.take()), file(self.file.take()))
    }
}

/// CLOCK_REALTIME in nanoseconds.
pub(super) fn now() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// Such a time in RFC 3339.
pub(super) fn rfc3339(at: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(at)) {
        Ok(time) => format!("{time:.9}"),
        Err(_) => "an unknown time".to_owned(),
    }
}

/// Whose session it is of: a program with more rights in a user's install is the user's.
fn owner(alert: &Alert) -> u32 {
    let install = alert.install.as_ref().map(|install| install.user.id);
    install.unwrap_or(alert.process.user.id)
}

pub(super) fn session_owner(report: &Report) -> u32 {
    report.installs.first().map_or(0, |install| install.user.id)
}
