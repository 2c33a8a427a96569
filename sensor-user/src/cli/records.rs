//! Where the verbs get what the daemon recorded: this is the one place that knows.
//!
//! A folder that was named, or else the daemon that runs, or else, for root, the daemon's own folder.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use nix::unistd::geteuid;

use super::NO_PRIVILEGES;
use crate::alert::escape::terminal;
use crate::state::{self, Entry, Follow, Query, ReadError};

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
    /// The folder of a daemon that doesn't answer.
    Left(PathBuf),
}

/// What holds for a whole answer.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Sessions that have not ended.
    pub(super) open_sessions: u64,
    /// Why something may be missing.
    pub(super) troubles: Vec<String>,
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
    Read(#[from] ReadError),
}

impl RecordsError {
    /// The status of a verb that can do nothing without records.
    pub(super) fn status(&self) -> ExitCode {
        match self {
            Self::NoPrivileges | Self::Read(ReadError::Denied { .. }) => {
                ExitCode::from(NO_PRIVILEGES)
            }
            Self::Read(_) => ExitCode::FAILURE,
        }
    }
}

impl Source {
    /// Finds out where they are.
    pub(super) fn find(args: &StateArgs) -> Result<Self, RecordsError> {
        match &args.state {
            Some(folder) => Ok(Self::Named(folder.clone())),
            None if geteuid().is_root() => Ok(Self::Left(PathBuf::from(state::FOLDER))),
            None => Err(RecordsError::NoPrivileges),
        }
    }

    /// Whether a daemon should have answered and none did.
    pub(super) fn daemon_is_missing(&self) -> bool {
        matches!(self, Self::Left(_))
    }

    /// Each entry, newest first, until `each` has enough. With `drain`, everything that happened
    /// before the call is among them, if a daemon is asked.
    pub(super) fn each(
        self,
        query: &Query,
        _drain: bool,
        each: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<End, RecordsError> {
        let troubles = state::scan(self.folder(), query, each)?;
        Ok(End {
            open_sessions: 0,
            troubles: troubles.iter().map(ToString::to_string).collect(),
        })
    }

    /// Entries as they come, oldest first, those since [`Query::since`] before them. Ends only when
    /// `each` has enough, or with an error.
    pub(super) fn follow(
        self,
        query: &Query,
        mut each: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), RecordsError> {
        let mut follow = Follow::new(self.folder(), query.clone())?;
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

    fn folder(&self) -> &Path {
        match self {
            Self::Named(folder) | Self::Left(folder) => folder,
        }
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
