//! Where the verbs get what the daemon recorded: this is the one place that knows.
//!
//! A folder that was named, or else the daemon that runs, or else, for root, the daemon's own folder.

use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::unistd::geteuid;

use super::NO_PRIVILEGES;
use crate::alert::escape::terminal;
use crate::control::client::{self, Client, ClientError, Followed};
use crate::state::{self, Entry, Follow, Query, ReadError, Record};

/// How often a folder is looked at while it is followed.
const POLL: Duration = Duration::from_millis(250);

/// The option that names a folder.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StateArgs {
    /// Read this folder, such as one copied from another machine, instead of asking the daemon
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
}

/// Where the records are.
#[derive(Debug)]
pub(super) enum Source {
    /// A folder that was named.
    Named(PathBuf),
    /// The daemon that runs.
    Daemon(Client),
    /// The folder of a daemon that doesn't run.
    Left(PathBuf),
}

/// What holds for a whole answer.
#[derive(Debug)]
pub(super) struct End {
    /// Sessions that have not ended.
    pub(super) open_sessions: u64,
    /// Nothing that was asked for may be missing.
    pub(super) complete: bool,
    /// Why something may be, and what else is to be known.
    pub(super) troubles: Vec<String>,
}

impl Default for End {
    fn default() -> Self {
        Self {
            open_sessions: 0,
            complete: true,
            troubles: Vec::new(),
        }
    }
}

/// Why there are no records.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordsError {
    #[error(
        "no daemon answers, and what one has recorded only root may read: start it (systemctl start \
         pkgwarden), or ask as root"
    )]
    NoPrivileges,
    #[error(transparent)]
    Daemon(#[from] ClientError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl RecordsError {
    /// The status of a verb that can do nothing without records.
    pub(super) fn status(&self) -> ExitCode {
        match self {
            Self::NoPrivileges
            | Self::Daemon(ClientError::NotAllowed { .. })
            | Self::Read(ReadError::Denied { .. }) => ExitCode::from(NO_PRIVILEGES),
            Self::Daemon(_) | Self::Read(_) => ExitCode::FAILURE,
        }
    }
}

impl Source {
    /// Finds out where they are.
    pub(super) fn find(args: &StateArgs) -> Result<Self, RecordsError> {
        if let Some(folder) = &args.state {
            return Ok(Self::Named(folder.clone()));
        }
        match client::connect() {
            Ok(client) => Ok(Self::Daemon(client)),
            Err(error) if !error.is_absent() => Err(error.into()),
            Err(_) if geteuid().is_root() => Ok(Self::Left(PathBuf::from(state::FOLDER))),
            Err(_) => Err(RecordsError::NoPrivileges),
        }
    }

    /// Whether a daemon should have answered and none did.
    pub(super) fn daemon_is_missing(&self) -> bool {
        matches!(self, Self::Left(_))
    }

    /// Whether a daemon answers, and so shows each user their own.
    pub(super) fn is_daemon(&self) -> bool {
        matches!(self, Self::Daemon(_))
    }

    /// Each entry, newest first, until `each` has enough. With `drain`, everything that happened
    /// before the call is among them, if a daemon is asked.
    pub(super) fn each(
        self,
        query: &Query,
        drain: bool,
        mut each: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<End, RecordsError> {
        let folder = match self {
            Self::Named(folder) | Self::Left(folder) => folder,
            Self::Daemon(client) => {
                let mut entries = client.query(query.clone(), drain)?;
                for entry in entries.by_ref() {
                    if each(entry?).is_break() {
                        break;
                    }
                }
                let end = entries.end().cloned().map(|end| End {
                    open_sessions: end.open_sessions,
                    complete: end.complete,
                    troubles: end.troubles,
                });
                return Ok(end.unwrap_or_default());
            }
        };
        let troubles = state::scan(&folder, query, each)?;
        Ok(End {
            complete: troubles.is_empty(),
            troubles: troubles.iter().map(ToString::to_string).collect(),
            ..End::default()
        })
    }

    /// Entries as they come, oldest first, those since [`Query::since`] before them. Ends only when
    /// `each` has enough, or with an error.
    pub(super) fn follow(
        self,
        query: &Query,
        mut each: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), RecordsError> {
        let folder = match self {
            Self::Named(folder) | Self::Left(folder) => folder,
            Self::Daemon(client) => return follow_daemon(client, query, each),
        };
        let mut follow = Follow::new(&folder, query.clone())?;
        loop {
            let mut enough = ControlFlow::Continue(());
            follow.poll(|entry| {
                if enough.is_continue() {
                    enough = each(entry);
                }
            })?;
            if enough.is_break() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }
}

/// The past is asked for when the present is on its way already, so that nothing falls between them;
/// what is in both is shown once.
fn follow_daemon(
    client: Client,
    query: &Query,
    mut each: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), RecordsError> {
    let following = client.follow(query.clone())?;
    let mut shown = HashSet::new();
    if query.since.is_some() {
        let past = client::connect()?.query(query.clone(), false)?;
        for entry in past.collect_all()?.entries.into_iter().rev() {
            shown.insert((entry.at, id(&entry.record)));
            if each(entry).is_break() {
                return Ok(());
            }
        }
    }
    for followed in following {
        let flow = match followed? {
            Followed::Entry(entry) if shown.contains(&(entry.at, id(&entry.record))) => continue,
            Followed::Entry(entry) => each(*entry),
            Followed::Skipped(count) => {
                eprintln!("pkgwarden: alerts that came too fast to be shown here: {count}");
                ControlFlow::Continue(())
            }
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

fn id(record: &Record) -> String {
    match record {
        Record::Alert(alert) | Record::Suppressed(alert) => alert.id.clone(),
        Record::Health(health) => health.id.clone(),
        Record::Session(report) => match report.installs.first() {
            Some(install) => install.id.clone(),
            None => report.started.clone(),
        },
    }
}

/// One sentence on standard error.
pub(super) fn complain(error: &dyn std::fmt::Display) {
    eprintln!("pkgwarden: {}", terminal(&error.to_string()));
}

/// What may be missing in what was shown, on standard error.
pub(super) fn warn(end: &End) {
    for trouble in &end.troubles {
        eprintln!("pkgwarden: {}", terminal(trouble));
    }
}

/// Whether a write found nobody who reads: `alerts | head` has seen enough.
pub(super) fn go_on(written: io::Result<()>) -> ControlFlow<()> {
    match written {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}
