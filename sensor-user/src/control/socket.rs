//! The socket file: its owner, group and mode say who may connect.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind as bind_socket,
    connect as connect_socket, listen, socket,
};
use nix::unistd::Group;

/// Its members may connect, besides root.
pub const GROUP: &str = "pkgwarden";
/// Connections that wait to be accepted: a burst of a busy CI host.
const BACKLOG: i32 = 512;

/// Why the socket can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon runs.
    #[error("another daemon answers at {}: stop it first (systemctl stop pkgwarden)", path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// Something that is no socket lies there.
    #[error("{} is there and no socket: move it away", path.display())]
    NotASocket {
        /// Where.
        path: PathBuf,
    },
    /// Anything else.
    #[error("the control socket {} can't be made ({step}): {cause}", path.display())]
    Failed {
        /// Where.
        path: PathBuf,
        /// Doing what.
        step: &'static str,
        /// The system's word.
        cause: io::Error,
    },
}

/// A socket that is listened on. Its file goes with it, if it is still this one's.
#[derive(Debug)]
pub struct Socket {
    pub(crate) listener: UnixListener,
    file: SocketFile,
    note: Option<String>,
}

#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Socket {
    /// Listens at `path`, for root and the members of [`GROUP`]. The file of a daemon that died is
    /// replaced; one that somebody answers at is not. Of two daemons that start at once it does not
    /// decide: that is for the lock on the state folder, which is to be held already.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let failed = |step| {
            move |cause: io::Error| BindError::Failed {
                path: path.to_owned(),
                step,
                cause,
            }
        };
        if let Some(folder) = path.parent() {
            let made = DirBuilder::new().mode(0o755).recursive(true).create(folder);
            made.map_err(failed("making its folder"))?;
        }
        clear(path)?;
        let descriptor = stream().map_err(failed("socket"))?;
        let address = UnixAddr::new(path).map_err(|errno| failed("its path")(errno.into()))?;
        bind_socket(descriptor.as_raw_fd(), &address)
            .map_err(|errno| failed("bind")(errno.into()))?;
        let metadata = fs::symlink_metadata(path).map_err(failed("looking at it"))?;
        let file = SocketFile {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
        };
        // Nobody gets in before listen, so nobody does before the mode is right.
        let group = Group::from_name(GROUP).ok().flatten();
        let (mode, note) = match &group {
            Some(group) => {
                // Under the unit it is the daemon's own group, and chown not among its system calls.
                let gid = group.gid.as_raw();
                if metadata.gid() != gid {
                    chown(path, None, Some(gid)).map_err(failed("its group"))?;
                }
                (0o660, None)
            }
            None => (
                0o600,
                Some(format!(
                    "there is no group {GROUP}: only root can use the control socket {}",
                    path.display()
                )),
            ),
        };
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("its mode"))?;
        let backlog = Backlog::new(BACKLOG).unwrap_or(Backlog::MAXCONN);
        listen(&descriptor, backlog).map_err(|errno| failed("listen")(errno.into()))?;
        let listener = UnixListener::from(descriptor);
        listener
            .set_nonblocking(true)
            .map_err(failed("non-blocking"))?;
        Ok(Self {
            listener,
            file,
            note,
        })
    }

    /// What is to be known of it: a sentence for the log.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    pub(crate) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == (self.device, self.inode));
        if ours {
            // The next daemon replaces it where that fails.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes room for the socket's file.
fn clear(path: &Path) -> Result<(), BindError> {
    let failed = |step, cause| BindError::Failed {
        path: path.to_owned(),
        step,
        cause,
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => {
            return Err(BindError::NotASocket {
                path: path.to_owned(),
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("looking at it", error)),
    }
    let answered = stream().and_then(|socket| {
        connect_socket(socket.as_raw_fd(), &UnixAddr::new(path)?).map_err(io::Error::from)
    });
    match answered {
        Err(error) if error.raw_os_error() == Some(Errno::ECONNREFUSED as i32) => {
            fs::remove_file(path).map_err(|error| failed("removing what a dead daemon left", error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full queue (EAGAIN) is somebody's too.
        Ok(()) | Err(_) => Err(BindError::Taken {
            path: path.to_owned(),
        }),
    }
}

fn stream() -> io::Result<std::os::fd::OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Unix, SockType::Stream, flags, None)?)
}
