//! The folder of the store, held open: whatever happens to its path, its files are the same ones.
//!
//! It is root's and closed to others (0700), so nobody else can plant a link in it. All the same, no
//! link is followed and nothing but a regular file is opened: a restored backup may hold anything.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::{UnlinkatFlags, fsync, geteuid, mkdir, unlinkat};

use super::error::{ReadError, StoreError, Trouble};

const PRIVATE_FOLDER: Mode = Mode::S_IRWXU;
const PRIVATE_FILE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// An open folder. Clones share it.
#[derive(Debug, Clone)]
pub struct Folder {
    fd: Arc<OwnedFd>,
    path: PathBuf,
}

impl Folder {
    /// For reading, whoever's it is.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = open(path, flags, Mode::empty()).map_err(|errno| ReadError::new(path, errno))?;
        Ok(Self {
            fd: Arc::new(fd),
            path: path.to_owned(),
        })
    }

    /// For writing: made where it is missing, ours, and closed to others.
    pub fn claim(path: &Path) -> Result<(Self, Option<Trouble>), StoreError> {
        let failed = |errno: Errno| StoreError::new(path, errno);
        match mkdir(path, PRIVATE_FOLDER) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = open(path, flags, Mode::empty()).map_err(|errno| {
            // The kernel says ENOTDIR of a link too.
            match path.symlink_metadata() {
                Ok(metadata) if metadata.is_symlink() => failed(Errno::ELOOP),
                _ => failed(errno),
            }
        })?;
        let stat = fstat(&fd).map_err(failed)?;
        let expected = geteuid().as_raw();
        if stat.st_uid != expected {
            return Err(StoreError::Owner {
                path: path.to_owned(),
                owner: stat.st_uid,
                expected,
            });
        }
        let mode = stat.st_mode & 0o777;
        let mut trouble = None;
        if mode & 0o077 != 0 {
            fchmod(&fd, PRIVATE_FOLDER).map_err(failed)?;
            // Only who could write can have changed anything.
            trouble = (mode & 0o022 != 0).then_some(Trouble::WasOpen { mode });
        }
        let folder = Self {
            fd: Arc::new(fd),
            path: path.to_owned(),
        };
        Ok((folder, trouble))
    }

    /// Where a file of this name would be, for messages.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// As it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        // A position of its own: listing moves the descriptor's.
        let own = openat(self.fd.as_fd(), ".", flags, Mode::empty())?;
        let mut folder = Dir::from_fd(own)?;
        let mut names = Vec::new();
        for entry in folder.iter() {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// An existing file, to be read.
    pub fn read(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlag::O_RDONLY)
    }

    /// A file to be read and written, which must be ours; made where it is missing.
    pub fn write(&self, name: &str) -> io::Result<File> {
        self.own(name, OFlag::O_RDWR | OFlag::O_CREAT)
    }

    /// A file that does not exist yet.
    pub fn create(&self, name: &str) -> io::Result<File> {
        self.own(name, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL)
    }

    /// Puts `content` under `name` as a whole: after a crash it is the old or the new, never a part.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let temporary = format!("{name}.new");
        let failed = |source: io::Error| StoreError::new(&self.path_of(name), source);
        // Left over from a crash.
        self.remove(&temporary).map_err(failed)?;
        let written = self.create(&temporary).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
        if let Err(error) = written {
            let _ = self.remove(&temporary);
            return Err(failed(error));
        }
        let fd = self.fd.as_fd();
        renameat(fd, temporary.as_str(), fd, name).map_err(|errno| failed(errno.into()))?;
        self.sync().map_err(failed)
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(self.fd.as_fd(), name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes added and removed names to the disk.
    pub fn sync(&self) -> io::Result<()> {
        Ok(fsync(self.fd.as_fd())?)
    }

    fn own(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let file = self.file(name, flags)?;
        if file.metadata()?.uid() != geteuid().as_raw() {
            return Err(Errno::EPERM.into());
        }
        Ok(file)
    }

    fn file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        // O_NONBLOCK: a FIFO without a writer is refused below, and not waited for.
        let flags =
            flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        let file = File::from(openat(self.fd.as_fd(), name, flags, PRIVATE_FILE)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(file)
    }
}
