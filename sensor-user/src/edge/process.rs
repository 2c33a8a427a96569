//! A watched process's own view of the file system, held so that a later process with the same
//! pid can never be looked at by mistake.
//!
//! An open folder of `/proc/PID` belongs to that very process: after its death every look-up below
//! it fails. Only the way there can go wrong, so the start time is compared after the folder is
//! open, and again after the reading for callers that ask with [`Held::is_the_same`].

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlink, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat};
use procfs::FromRead;
use procfs::process::{Stat, Status};

use crate::event::ProcessKey;

/// The open folder `/proc/PID` of one process.
#[derive(Debug)]
pub struct Held {
    directory: OwnedFd,
    start_ticks: u64,
}

impl Held {
    /// The process, if it still lives.
    pub fn of(key: ProcessKey) -> Option<Self> {
        let held = Self::of_pid(key.pid)?;
        (held.start_ticks == key.start / nanoseconds_per_tick()).then_some(held)
    }

    /// Whoever has this pid now.
    pub fn of_pid(pid: u32) -> Option<Self> {
        let directory = open(
            format!("/proc/{pid}").as_str(),
            OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .ok()?;
        let start_ticks = start_ticks(&directory)?;
        Some(Self {
            directory,
            start_ticks,
        })
    }

    /// Whether it started no later than `start` (nanoseconds of boottime), as a parent must have.
    pub fn is_older_than(&self, start: u64) -> bool {
        self.start_ticks <= start / nanoseconds_per_tick()
    }

    /// Whether it is the process with this key, and still there.
    pub fn is(&self, key: ProcessKey) -> bool {
        self.start_ticks == key.start / nanoseconds_per_tick() && self.is_the_same()
    }

    /// Its real, effective and saved user.
    pub fn uids(&self) -> Option<[u32; 3]> {
        let status = Status::from_read(&self.read("status")?[..]).ok()?;
        Some([status.ruid, status.euid, status.suid])
    }

    /// Whether the process is still there.
    pub fn is_the_same(&self) -> bool {
        start_ticks(&self.directory) == Some(self.start_ticks)
    }

    /// Its root folder. Needs the right to trace it.
    pub fn root(&self) -> nix::Result<OwnedFd> {
        self.follow("root", OFlag::O_DIRECTORY)
    }

    /// Where its root folder lies, as we see it.
    pub fn root_path(&self) -> nix::Result<PathBuf> {
        self.link("root").map(PathBuf::from)
    }

    /// A small file of its /proc folder. What lies in the process's own memory (`cmdline`, `environ`)
    /// can block; nothing else does.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = openat(
            &self.directory,
            name,
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .ok()?;
        let mut bytes = Vec::new();
        File::from(file)
            .take(Self::READ_LIMIT)
            .read_to_end(&mut bytes)
            .ok()?;
        Some(bytes)
    }

    /// More of a file is not read.
    pub const READ_LIMIT: u64 = 1 << 20;

    /// Where a link of its /proc folder leads, as we see it.
    pub fn link(&self, name: &str) -> nix::Result<OsString> {
        readlinkat(&self.directory, name)
    }

    /// A handle of what a link of its /proc folder leads to, which can't be read from.
    pub(super) fn follow(&self, name: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        openat(
            &self.directory,
            name,
            OFlag::O_PATH | OFlag::O_CLOEXEC | flags,
            Mode::empty(),
        )
    }
}

/// What a process has for its root folder.
#[derive(Debug)]
pub(super) struct View {
    pub(super) root: OwnedFd,
    /// Where it lies, as we see it.
    pub(super) path: PathBuf,
    /// Folders below it that were resolved for this batch: a manager renames hundreds of files out of
    /// one folder at a time.
    folders: HashMap<PathBuf, Option<PathBuf>>,
}

impl View {
    /// The real path of a folder that the process calls so.
    pub(super) fn folder(&mut self, path: &Path) -> Option<PathBuf> {
        if let Some(known) = self.folders.get(path) {
            return known.clone();
        }
        let real = resolve(&self.root, path, OFlag::O_DIRECTORY)
            .ok()
            .and_then(|handle| path_of(&handle).ok());
        self.folders.insert(path.to_owned(), real.clone());
        real
    }
}

/// The views of the processes of one batch.
#[derive(Debug, Default)]
pub(super) struct Views(HashMap<ProcessKey, Option<View>>);

impl Views {
    /// The process's, if it still lives and may be looked at.
    pub(super) fn of(&mut self, process: ProcessKey) -> Option<&mut View> {
        let look = || {
            let held = Held::of(process)?;
            let view = View {
                root: held.root().ok()?,
                path: held.root_path().ok()?,
                folders: HashMap::new(),
            };
            held.is_the_same().then_some(view)
        };
        self.0.entry(process).or_insert_with(look).as_mut()
    }
}

fn start_ticks(directory: &OwnedFd) -> Option<u64> {
    let stat = openat(
        directory,
        "stat",
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .ok()?;
    Some(Stat::from_read(File::from(stat)).ok()?.starttime)
}

/// `/proc/PID/stat` counts in these; the kernel rounds down.
fn nanoseconds_per_tick() -> u64 {
    1_000_000_000 / procfs::ticks_per_second().max(1)
}

/// Resolves `path` the way a process rooted at `root` would, without ever leaving that root and
/// without /proc's magic links. Gives a handle that can't be read from: opening it has no effect
/// on what it is, FIFO or device.
pub(super) fn resolve(root: &OwnedFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    openat2(
        root,
        path,
        OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | flags)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS),
    )
}

/// Tries on the first process what is done with every one.
pub(super) fn probe() -> Result<(), (&'static str, nix::Error)> {
    let held = Held::of_pid(1).ok_or(("/proc/1", nix::Error::ESRCH))?;
    let root = held.root().map_err(|error| ("/proc/1/root", error))?;
    let folder = resolve(&root, Path::new("/"), OFlag::O_DIRECTORY);
    folder.map(drop).map_err(|error| ("openat2", error))
}

/// Reads a regular file below `root`, unless it is larger than `limit`. A FIFO, a device or a
/// folder in its place gives nothing and waits for nobody.
pub(super) fn read_regular(root: &OwnedFd, path: &Path, limit: u64) -> Option<Vec<u8>> {
    let handle = resolve(root, path, OFlag::empty()).ok()?;
    let stat = fstat(&handle).ok()?;
    let regular = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    if !regular || u64::try_from(stat.st_size).ok()? > limit {
        return None;
    }
    let file = reopened(&handle)?;
    // It may grow while it is read.
    let mut bytes = Vec::new();
    File::from(file)
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    (bytes.len() as u64 <= limit).then_some(bytes)
}

/// What a handle of a regular file leads to, to be read from.
pub(super) fn reopened(handle: &OwnedFd) -> Option<OwnedFd> {
    open(
        own_link(handle).as_path(),
        OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .ok()
}

/// The path of an open handle, as we see it.
pub(super) fn path_of(handle: &OwnedFd) -> nix::Result<PathBuf> {
    static OWN: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let open = || {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open("/proc/self/fd", flags, Mode::empty()).ok()
    };
    // Half of the price is the way to this folder.
    match OWN.get_or_init(open) {
        Some(own) => readlinkat(own, handle.as_raw_fd().to_string().as_str()),
        None => readlink(own_link(handle).as_path()),
    }
    .map(PathBuf::from)
}

fn own_link(handle: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}

/// Bytes as a path.
pub(super) fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use nix::unistd::mkfifo;

    use super::*;

    fn root_of(directory: &Path) -> OwnedFd {
        open(directory, OFlag::O_PATH, Mode::empty()).unwrap()
    }

    fn own_key() -> ProcessKey {
        let stat = procfs::process::Process::myself().unwrap().stat().unwrap();
        ProcessKey {
            pid: std::process::id(),
            start: stat.starttime * nanoseconds_per_tick() + 1,
        }
    }

    #[test]
    fn a_later_process_with_the_same_pid_is_not_the_one_meant() {
        let key = own_key();
        assert!(Held::of(key).unwrap().is_the_same());
        let earlier = ProcessKey {
            start: key.start - 10 * nanoseconds_per_tick(),
            ..key
        };
        assert!(Held::of(earlier).is_none());
    }

    #[test]
    fn a_fifo_in_the_place_of_a_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        mkfifo(&folder.path().join("package.json"), Mode::S_IRWXU).unwrap();
        let root = root_of(folder.path());
        assert_eq!(read_regular(&root, Path::new("package.json"), 100), None);
    }

    #[test]
    fn a_link_to_the_hosts_files_ends_inside_the_process_root() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/etc/passwd", folder.path().join("package.json")).unwrap();
        let root = root_of(folder.path());
        assert_eq!(
            read_regular(&root, Path::new("package.json"), 1 << 20),
            None
        );
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/passwd"), "inside").unwrap();
        assert_eq!(
            read_regular(&root, Path::new("package.json"), 1 << 20).unwrap(),
            b"inside"
        );
    }

    #[test]
    fn a_magic_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/proc/self/root/etc/passwd", folder.path().join("x")).unwrap();
        let root = root_of(Path::new("/"));
        assert_eq!(read_regular(&root, &folder.path().join("x"), 1 << 20), None);
    }

    #[test]
    fn a_file_over_the_limit_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), [b'x'; 11]).unwrap();
        let root = root_of(folder.path());
        assert_eq!(read_regular(&root, Path::new("a"), 10), None);
        assert_eq!(read_regular(&root, Path::new("a"), 11).unwrap().len(), 11);
    }
}
