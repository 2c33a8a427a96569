//! One daemon at a time: two would raise everything twice.
//!
//! The state folder itself is locked, not a file in it: that works on a full and on a read-only disk,
//! and the kernel lets go of it however the daemon ends.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Holds the lock.
#[derive(Debug)]
pub(super) struct Single {
    _folder: Flock<File>,
}

/// Why this daemon may not be the one.
#[derive(Debug, thiserror::Error)]
pub(super) enum SingleError {
    #[error(
        "another pkgwarden daemon is running{}: one host needs only one; stop it first (`systemctl stop pkgwarden`)",
        pid.map_or_else(String::new, |pid| format!(" as process {pid}"))
    )]
    Another { pid: Option<i32> },
    #[error("the state folder {} can't be used: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
}

impl Single {
    /// Makes the folder where it is missing, and locks it.
    pub(super) fn lock(path: &Path) -> Result<Self, SingleError> {
        let wrong = |source| SingleError::Folder {
            path: path.to_owned(),
            source,
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        // On a read-only disk it may be there already.
        let folder = File::open(path).map_err(|error| wrong(made.err().unwrap_or(error)))?;
        match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
            Ok(folder) => Ok(Self { _folder: folder }),
            Err((folder, Errno::EWOULDBLOCK)) => Err(SingleError::Another {
                pid: holder(&folder),
            }),
            Err((_, errno)) => Err(wrong(errno.into())),
        }
    }
}

/// Who has it locked, as /proc/locks says.
fn holder(folder: &File) -> Option<i32> {
    let inode = folder.metadata().ok()?.ino();
    procfs::locks()
        .ok()?
        .into_iter()
        .find(|lock| lock.inode == inode && lock.lock_type == procfs::LockType::FLock)?
        .pid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = Single::lock(&path).unwrap();
        let refused = Single::lock(&path).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(refused.contains(&format!("process {pid}")), "{refused}");
        drop(first);
        Single::lock(&path).unwrap();
    }
}
