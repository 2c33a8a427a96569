//! systemd's native journal protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
//!
//! Written here because the crates that speak it block, or can't be pointed at another socket.

use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

/// One journal entry in the making.
#[derive(Debug, Default)]
pub(super) struct Entry(Vec<u8>);

impl Entry {
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

    /// Adds a field where there is a value.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }
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
    pub(super) fn send(&self, entry: &Entry) -> io::Result<()> {
        match self.socket.send_to(&entry.0, &self.path) {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.raw_os_error().map(Errno::from_raw),
                    Some(Errno::EMSGSIZE | Errno::ENOBUFS)
                ) =>
            {
                self.send_memfd(&entry.0)
            }
            Err(error) => Err(error),
        }
    }

    /// journald maps the file; it takes only one that can't change under it.
    fn send_memfd(&self, data: &[u8]) -> io::Result<()> {
        let flags = MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC;
        let mut file = std::fs::File::from(memfd_create(c"pkgwarden-journal", flags)?);
        file.write_all(data)?;
        let seals = SealFlag::F_SEAL_SHRINK
            | SealFlag::F_SEAL_GROW
            | SealFlag::F_SEAL_WRITE
            | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
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
