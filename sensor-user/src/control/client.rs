//! The asking side: one connection, one request.
//!
//! Blocking, with deadlines: the verbs that use it have nothing else to do. `run` takes the
//! connection over and reads on by itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{PeerCredentials, SendTimeout};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect as connect_socket, getsockopt, setsockopt,
    socket,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::line::{End, Line, Status, Word};
use super::wire::json_line;
use super::{Request, SOCKET, VARIABLE};
use crate::state::{Entry, Query};

/// The daemon's queue of connections may be full.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A drain waits for the rings, the edge and the store.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// An alert is at most 256 KiB; a report names files and processes, and JSON may double bytes.
const LINE_LIMIT: usize = 16 << 20;

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no daemon answers at {}: {cause} (start it: systemctl start pkgwarden)", path.display())]
    NotRunning {
        /// Where.
        path: PathBuf,
        /// The system's word.
        cause: &'static str,
    },
    /// The socket is closed to this user.
    #[error("the daemon's socket {} is closed to you: add yourself to the group pkgwarden and log in again, or be root", path.display())]
    NotAllowed {
        /// Where.
        path: PathBuf,
    },
    /// Someone other than root could be behind it.
    #[error("what answers at {} is not trusted: {why}", path.display())]
    NotTrusted {
        /// Where.
        path: PathBuf,
        /// What gave it away.
        why: String,
    },
    /// The daemon's own sentence.
    #[error("the daemon refuses: {0}")]
    Refused(String),
    /// It went away in the middle of an answer.
    #[error("the daemon's answer ended too early")]
    Ended,
    /// It takes too long.
    #[error("the daemon does not answer")]
    Silent,
    /// Not what a daemon of this version says.
    #[error(
        "the daemon's answer can't be read ({0}): are it and this program of the same version?"
    )]
    Unreadable(String),
    /// The connection.
    #[error("the daemon can't be talked to: {0}")]
    Io(io::Error),
}

impl ClientError {
    /// There is no daemon, rather than one that says no.
    pub fn is_absent(&self) -> bool {
        matches!(self, ClientError::NotRunning { .. })
    }
}

/// A connection to a daemon that was found to be root's. Takes one request.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

/// Where the daemon is to be found: [`VARIABLE`], or [`SOCKET`].
pub fn path() -> PathBuf {
    std::env::var_os(VARIABLE)
        .filter(|path| !path.is_empty())
        .map_or_else(|| PathBuf::from(SOCKET), PathBuf::from)
}

/// Connects to the daemon of this machine.
pub fn connect() -> Result<Client, ClientError> {
    Client::connect(&path())
}

impl Client {
    /// Connects to the socket at `path`, behind which root must be.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        Self::connect_to(path, 0)
    }

    /// Connects to a socket behind which this user must be.
    pub(crate) fn connect_to(path: &Path, server: u32) -> Result<Self, ClientError> {
        check_folder(path, server)?;
        let stream = dial(path)?;
        let peer = getsockopt(&stream, PeerCredentials).map_err(io_error)?;
        if peer.uid() != server {
            return Err(ClientError::NotTrusted {
                path: path.to_owned(),
                why: format!("it is a process of uid {}, not of root", peer.uid()),
            });
        }
        Ok(Self { stream })
    }

    /// Entries, newest first. With `drain`, everything generated before this call is in them.
    pub fn query(self, query: Query, drain: bool) -> Result<Entries, ClientError> {
        let lines = self.ask(&Request::Query { query, drain }, Some(ANSWER_LIMIT))?;
        Ok(Entries { lines, end: None })
    }

    /// Entries as they are raised, for ever. It is under way when this returns.
    pub fn follow(self, query: Query) -> Result<Following, ClientError> {
        let mut lines = self.ask(&Request::Follow { query }, Some(ANSWER_LIMIT))?;
        match lines.next()? {
            Line::Word(Word::Following {}) => {}
            other => return Err(unexpected(other)),
        }
        lines.limit(None)?;
        Ok(Following { lines })
    }

    /// The daemon's metrics, as Prometheus text.
    pub fn metrics(self) -> Result<String, ClientError> {
        match self.ask(&Request::Metrics {}, Some(ANSWER_LIMIT))?.next()? {
            Line::Word(Word::Metrics(text)) => Ok(text),
            other => Err(unexpected(other)),
        }
    }

    /// How the daemon is.
    pub fn status(self) -> Result<Status, ClientError> {
        match self.ask(&Request::Status {}, Some(ANSWER_LIMIT))?.next()? {
            Line::Word(Word::Status(status)) => Ok(*status),
            other => Err(unexpected(other)),
        }
    }

    /// The connection itself, for `run`.
    pub(crate) fn into_stream(self) -> UnixStream {
        self.stream
    }

    fn ask(self, request: &Request, limit: Option<Duration>) -> Result<Lines, ClientError> {
        // A refusal may have come already, and is in the reading.
        let sent = (&self.stream).write_all(&json_line(request));
        let lines = Lines {
            input: BufReader::with_capacity(1 << 16, self.stream),
            over: false,
        };
        lines.limit(limit)?;
        match sent {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ClientError::Io(error)),
            _ => Ok(lines),
        }
    }
}

/// The whole answer to a query, for who wants it at once.
#[derive(Debug)]
pub struct Answer {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// What holds for all of them.
    pub end: End,
}

/// The answer to a query, as it comes. After the last entry [`Entries::end`] is there.
#[derive(Debug)]
pub struct Entries {
    lines: Lines,
    end: Option<End>,
}

impl Entries {
    /// What ended the answer; `None` before that, and after an error.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// All of it.
    pub fn collect_all(mut self) -> Result<Answer, ClientError> {
        let entries = self.by_ref().collect::<Result<_, _>>()?;
        let end = self.end.ok_or(ClientError::Ended)?;
        Ok(Answer { entries, end })
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_some() || self.lines.over {
            return None;
        }
        match self.lines.next() {
            Ok(Line::Entry(entry)) => Some(Ok(*entry)),
            Ok(Line::Word(Word::End(end))) => {
                self.end = Some(end);
                None
            }
            Ok(other) => Some(Err(self.lines.end_with(unexpected(other)))),
            Err(error) => Some(Err(self.lines.end_with(error))),
        }
    }
}

/// What a follower gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// Something was raised.
    Entry(Box<Entry>),
    /// So many were not sent, since they were read too slowly.
    Skipped(u64),
}

/// Entries as they are raised. Ends with an error only.
#[derive(Debug)]
pub struct Following {
    lines: Lines,
}

impl Iterator for Following {
    type Item = Result<Followed, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.lines.over {
            return None;
        }
        Some(match self.lines.next() {
            Ok(Line::Entry(entry)) => Ok(Followed::Entry(entry)),
            Ok(Line::Word(Word::Skipped(count))) => Ok(Followed::Skipped(count)),
            Ok(other) => Err(self.lines.end_with(unexpected(other))),
            Err(error) => Err(self.lines.end_with(error)),
        })
    }
}

#[derive(Debug)]
struct Lines {
    input: BufReader<UnixStream>,
    /// Nothing more is to be read.
    over: bool,
}

impl Lines {
    fn limit(&self, limit: Option<Duration>) -> Result<(), ClientError> {
        let stream = self.input.get_ref();
        stream.set_read_timeout(limit).map_err(ClientError::Io)
    }

    fn end_with(&mut self, error: ClientError) -> ClientError {
        self.over = true;
        error
    }

    fn next(&mut self) -> Result<Line, ClientError> {
        let mut line = Vec::new();
        let limit = LINE_LIMIT as u64;
        let read = (&mut self.input).take(limit).read_until(b'\n', &mut line);
        match read {
            Err(error) => {
                return Err(match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent,
                    io::ErrorKind::ConnectionReset => ClientError::Ended,
                    _ => ClientError::Io(error),
                });
            }
            Ok(_) if line.last() == Some(&b'\n') => {}
            Ok(_) if line.len() >= LINE_LIMIT => {
                return Err(ClientError::Unreadable("a line is too long".to_owned()));
            }
            Ok(_) => return Err(ClientError::Ended),
        }
        Line::parse(&line).map_err(|error| ClientError::Unreadable(error.to_string()))
    }
}

fn unexpected(line: Line) -> ClientError {
    match line {
        Line::Word(Word::Error(sentence)) => ClientError::Refused(sentence),
        other => ClientError::Unreadable(match other {
            Line::Entry(_) => "an entry that was not asked for".to_owned(),
            Line::Word(word) => format!("unexpected {word:?}"),
        }),
    }
}

/// Only the server's user may be able to put a socket there.
fn check_folder(path: &Path, server: u32) -> Result<(), ClientError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let distrust = |why| ClientError::NotTrusted {
        path: path.to_owned(),
        why,
    };
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) => return Err(absent_or(path, &error)),
    };
    let others = metadata.mode() & 0o022 != 0;
    if others || ![0, server].contains(&metadata.uid()) {
        let folder = folder.display();
        return Err(distrust(format!(
            "others than root may put a socket into {folder}"
        )));
    }
    Ok(())
}

fn absent_or(path: &Path, error: &io::Error) -> ClientError {
    let path = path.to_owned();
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES | Errno::EPERM) => ClientError::NotAllowed { path },
        Some(errno @ (Errno::ENOENT | Errno::ENOTDIR | Errno::ECONNREFUSED)) => {
            ClientError::NotRunning {
                path,
                cause: errno.desc(),
            }
        }
        Some(Errno::EAGAIN) => ClientError::Silent,
        _ => ClientError::Io(io::Error::from(error.kind())),
    }
}

/// connect(2) waits while the server's queue is full, as long as the send timeout says.
fn dial(path: &Path) -> Result<UnixStream, ClientError> {
    let descriptor = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map_err(io_error)?;
    let limit = TimeVal::milliseconds(CONNECT_LIMIT.as_millis() as i64);
    setsockopt(&descriptor, SendTimeout, &limit).map_err(io_error)?;
    let address = UnixAddr::new(path).map_err(io_error)?;
    connect_socket(descriptor.as_raw_fd(), &address)
        .map_err(|errno| absent_or(path, &errno.into()))?;
    Ok(UnixStream::from(descriptor))
}

fn io_error(errno: Errno) -> ClientError {
    ClientError::Io(errno.into())
}
