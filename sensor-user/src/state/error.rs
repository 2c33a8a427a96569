//! What can go wrong with the store, in sentences that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its place is taken by something else.
    #[error("{} is not a folder, and the store must be one: move it away", path.display())]
    NotAFolder {
        /// Where.
        path: PathBuf,
    },
    /// Its place is a symbolic link.
    #[error(
        "{} is a symbolic link, and the store is never written through one: put the folder itself \
         there",
        path.display()
    )]
    Link {
        /// Where.
        path: PathBuf,
    },
    /// Somebody else could change what is kept.
    #[error(
        "{} belongs to uid {owner}, and what it holds could be changed by that user: give it to uid \
         {expected} (chown), or move it away",
        path.display()
    )]
    Owner {
        /// Where.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it must be.
        expected: u32,
    },
    /// Another process has the lock.
    #[error(
        "another pkgwarden daemon{} writes to {}: stop it first",
        holder.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default(), path.display()
    )]
    Busy {
        /// Where.
        path: PathBuf,
        /// Who says to hold it.
        holder: Option<u32>,
    },
    /// EROFS.
    #[error(
        "the file system of {} is read-only, so nothing is kept: remount it, or look in the kernel's \
         log for why it became so",
        path.display()
    )]
    ReadOnly {
        /// What was written.
        path: PathBuf,
    },
    /// ENOSPC, EDQUOT.
    #[error(
        "no room left for {}, so new alerts are not kept: make room, or lower [state] max_bytes in \
         the configuration",
        path.display()
    )]
    Full {
        /// What was written.
        path: PathBuf,
    },
    /// EACCES, EPERM.
    #[error("{} may not be written by uid {uid}: run the daemon as root", path.display())]
    Denied {
        /// What was written.
        path: PathBuf,
        /// By whom.
        uid: u32,
    },
    /// One batch takes more than half of what may be kept.
    #[error("{bytes} bytes at once, and at most {most} are kept at once: raise [state] max_bytes")]
    TooLarge {
        /// Of the batch.
        bytes: u64,
        /// Allowed.
        most: u64,
    },
    /// Anything else.
    #[error("can't write {}: {source}", path.display())]
    Failed {
        /// What was written.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl StoreError {
    /// The sentence for a failed call on `path`.
    pub(super) fn new(path: &Path, source: impl Into<io::Error>) -> Self {
        let path = path.to_owned();
        let source = source.into();
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EROFS) => Self::ReadOnly { path },
            Some(Errno::ENOSPC | Errno::EDQUOT) => Self::Full { path },
            Some(Errno::EACCES | Errno::EPERM) => Self::Denied {
                path,
                uid: nix::unistd::geteuid().as_raw(),
            },
            Some(Errno::ENOTDIR) => Self::NotAFolder { path },
            Some(Errno::ELOOP) => Self::Link { path },
            _ => Self::Failed { path, source },
        }
    }
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No folder.
    #[error(
        "there is no store at {}: the daemon has not run here (`systemctl status pkgwarden`)",
        path.display()
    )]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// EACCES, EPERM.
    #[error("the store at {} is readable by its owner only: ask as root", path.display())]
    Denied {
        /// Where.
        path: PathBuf,
    },
    /// Its place is taken by something else.
    #[error("{} is not a folder, so no store of the daemon", path.display())]
    NotAFolder {
        /// Where.
        path: PathBuf,
    },
    /// Anything else.
    #[error("can't read the store at {}: {source}", path.display())]
    Failed {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl ReadError {
    pub(super) fn new(path: &Path, source: impl Into<io::Error>) -> Self {
        let path = path.to_owned();
        let source = source.into();
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) => Self::Missing { path },
            Some(Errno::EACCES | Errno::EPERM) => Self::Denied { path },
            Some(Errno::ENOTDIR | Errno::ELOOP) => Self::NotAFolder { path },
            _ => Self::Failed { path, source },
        }
    }
}

/// What is wrong with a store that is used all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The machine or the daemon stopped in the middle of a write.
    #[error("{segment}: the last write was cut off; its {bytes} bytes were removed")]
    TornTail {
        /// Which file.
        segment: String,
        /// Removed.
        bytes: u64,
    },
    /// Lines whose checksum or shape is wrong.
    #[error("{segment}: lines that are damaged and were left out: {lines}")]
    Damaged {
        /// Which file.
        segment: String,
        /// How many.
        lines: u64,
    },
    /// The first line does not say what the file is.
    #[error("{segment}: its first line is damaged; nothing more is written to it")]
    Header {
        /// Which file.
        segment: String,
    },
    /// Written by a later version.
    #[error(
        "{segment}: its format is {format}, which this version can't read; it is left as it is"
    )]
    Future {
        /// Which file.
        segment: String,
        /// What it says.
        format: String,
    },
    /// A link, a folder, or another user's file under a segment's name.
    #[error("{name}: not a file that the daemon made; it is left alone")]
    Foreign {
        /// Which.
        name: String,
    },
    /// Others could write into the folder.
    #[error("the store's folder was open to others (mode {mode:03o}) and was closed (700)")]
    WasOpen {
        /// What it was.
        mode: u32,
    },
    /// The log does not reach back as far as was asked.
    #[error(
        "what was recorded before {begun} was dropped to keep the log within its limits ([state] in \
         the configuration)"
    )]
    Dropped {
        /// Since when everything is there; RFC 3339.
        begun: String,
    },
    /// A segment can't be read or removed.
    #[error("{segment}: {problem}")]
    Unusable {
        /// Which file.
        segment: String,
        /// What the kernel said.
        problem: String,
    },
    /// The state of the daemon before its restart is not known.
    #[error("{name}: {problem}; sessions that were open before the restart can't be continued")]
    Snapshot {
        /// Which file.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// All that was wrong, oldest segment last.
pub type Troubles = Vec<Trouble>;
