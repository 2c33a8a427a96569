//! Who may run at the same time.

use std::fs::File;

use nix::fcntl::{Flock, FlockArg};

use crate::binary::workspace;

/// Held while a test runs; a file lock, so that it holds between test processes too.
#[derive(Debug)]
pub struct Turn {
    _lock: Flock<File>,
}

impl Turn {
    /// Beside other scenarios.
    pub fn shared() -> Self {
        Self::take(FlockArg::LockShared)
    }

    /// Alone: for tests that count events or fill rings.
    pub fn alone() -> Self {
        Self::take(FlockArg::LockExclusive)
    }

    fn take(how: FlockArg) -> Self {
        let folder = workspace().join("target/tmp");
        std::fs::create_dir_all(&folder).unwrap();
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("live.lock"))
            .unwrap();
        let lock = Flock::lock(file, how).unwrap_or_else(|(_, errno)| panic!("flock: {errno}"));
        Self { _lock: lock }
    }
}
