//! systemd's native journal protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
//!
//! Written here because the crates that speak it block, or can't be pointed at another socket.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

/// Not in nix: seals the file against being made executable (Linux 6.3). Where the sysctl
/// `vm.memfd_noexec` is 2 a memfd without it is refused with EACCES.
const MFD_NOEXEC_SEAL: u32 = 0x8;

/// One journal entry: fields one after another, so that a later one can be put behind it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Entry(Vec<u8>);

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} bytes)", self.0.len())
    }
}

impl Entry {
    /// As it was kept.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As it goes over the socket.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds a field. `name`: A–Z, 0–9 and `_`, at most 64, beginning with a letter. The value may
    /// hold anything: its length is written before it, so that no newline in it ends it.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'\n');
        self.0
            .extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }

    /// Adds `PKGWARDEN_DELAYED=1`, once: the time that journald gives it is not the time it is of.
    /// Returns the bytes this took.
    pub(super) fn mark_late(&mut self) -> usize {
        let mut late = Self::default();
        late.field("PKGWARDEN_DELAYED", "1");
        if self.0.ends_with(&late.0) {
            return 0;
        }
        self.0.extend_from_slice(&late.0);
        late.0.len()
    }

    /// Adds a field where there is a value.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }
}

/// Why an entry was not handed over.
#[derive(Debug)]
pub(super) enum NotSent {
    /// journald's queue, or something that the kernel needs for it, is full: later.
    Slow(io::Error),
    /// Nobody reads the socket: later.
    Away(io::Error),
    /// This one can't be sent at all; another may.
    Never(io::Error),
}

/// A socket to journald that never blocks.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UnixDatagram,
    pub(super) path: PathBuf,
}

impl Socket {
    /// Not connected: journald may be restarted meanwhile, and its socket with it.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
        })
    }

    /// Sends the entry as a datagram or, where that is too large, as a sealed memfd.
    pub(super) fn send(&self, entry: &Entry) -> Result<(), NotSent> {
        match self.socket.send_to(&entry.0, &self.path) {
            Ok(_) => Ok(()),
            Err(error) if is(&error, &[Errno::EMSGSIZE, Errno::ENOBUFS]) => {
                let file = sealed(&entry.0).map_err(|error| match is_for_now(&error) {
                    true => NotSent::Slow(error),
                    false => NotSent::Never(error),
                })?;
                self.send_file(&file).map_err(not_taken)
            }
            Err(error) => Err(not_taken(error)),
        }
    }

    fn send_file(&self, file: &File) -> io::Result<()> {
        let address = UnixAddr::new(&self.path)?;
        sendmsg(
            self.socket.as_raw_fd(),
            &[],
            &[ControlMessage::ScmRights(&[file.as_raw_fd()])],
            MsgFlags::empty(),
            Some(&address),
        )?;
        Ok(())
    }
}

/// journald maps the file; it takes only one that can't change under it.
fn sealed(data: &[u8]) -> io::Result<File> {
    let name = c"pkgwarden-journal";
    let flags = MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC;
    let made = match memfd_create(name, flags) {
        Err(Errno::EACCES) => {
            let noexec = MFdFlags::from_bits_retain(MFD_NOEXEC_SEAL);
            memfd_create(name, MFdFlags::MFD_CLOEXEC | noexec)
        }
        made => made,
    };
    let mut file = File::from(made?);
    file.write_all(data)?;
    let seals = SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}

fn not_taken(error: io::Error) -> NotSent {
    match is_for_now(&error) {
        true => NotSent::Slow(error),
        false => NotSent::Away(error),
    }
}

/// Full queues pass. ETOOMANYREFS: too many memfds wait in journald's queue already.
fn is_for_now(error: &io::Error) -> bool {
    let passing = [
        Errno::EAGAIN,
        Errno::ETOOMANYREFS,
        Errno::ENOBUFS,
        Errno::ENOMEM,
        Errno::EMFILE,
        Errno::ENFILE,
    ];
    is(error, &passing)
}

fn is(error: &io::Error, numbers: &[Errno]) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    number.is_some_and(|number| numbers.contains(&number))
}
