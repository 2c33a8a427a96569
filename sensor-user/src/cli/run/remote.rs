//! The unprivileged side of a watch: the privileged half is the daemon, or `sudo -n pkgwarden sensor`.
//! Both are told and tell the same lines.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command as Process};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::source::Batch;
use super::wire::{Command, Hook, LINE_LIMIT, Reply, ReplyLine, Start, json_line, line};
use crate::control::client::{Client, ClientError};
use crate::control::line::Word;
use crate::control::{Line, Request};
use crate::event::{Body, Event, ProcessKey};
use crate::kernel::SensorConfig;

/// Loading takes well under a second; a machine under load gets time.
const START_LIMIT: Duration = Duration::from_secs(30);
const REPLY_LIMIT: Duration = Duration::from_secs(10);
/// Batches read ahead; behind them the pipe fills, then the rings, whose losses are counted.
const AHEAD: usize = 256;
/// Events of one batch; a sensor gone mad must not take all memory.
const BATCH_LIMIT: usize = 1 << 20;

/// Why the privileged half can't be used, or no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    /// sudo, and before it the daemon, did not let us.
    #[error(
        "watching needs root, and there was no way to it: {daemon}; `sudo -n`: {sudo} (allow `pkgwarden sensor` in sudoers, or run pkgwarden as root)"
    )]
    NoWay { daemon: String, sudo: String },
    #[error(transparent)]
    Daemon(#[from] ClientError),
    #[error("{half} can't watch: {message}")]
    Refused { half: Half, message: String },
    #[error("{half} ended: {why}")]
    Ended { half: Half, why: String },
    #[error("{half} does not answer")]
    Silent { half: Half },
}

/// Who watches for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Daemon,
    Sudo,
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Half::Daemon => "the daemon",
            Half::Sudo => "the privileged half behind sudo",
        })
    }
}

#[derive(Debug)]
enum Message {
    Batch(Batch),
    Reply(Reply),
    /// Nothing comes any more.
    End(String),
}

/// A running privileged half. The watch ends when this is dropped, since the half's input closes.
pub(crate) struct Remote {
    half: Half,
    input: Box<dyn AsyncWrite + Send + Unpin>,
    messages: mpsc::Receiver<Message>,
    hooks: Vec<Hook>,
    /// Came while something else was waited for.
    early: VecDeque<Batch>,
    requests: u64,
    _child: Option<Child>,
}

impl Remote {
    /// Starts one behind sudo and waits until it watches.
    pub(crate) async fn sudo(program: &OsStr, config: &SensorConfig) -> Result<Self, RemoteError> {
        let half = Half::Sudo;
        let ended = |why| RemoteError::Ended { half, why };
        let mut child = Process::new("sudo")
            .arg("-n")
            .arg("--")
            .arg(program)
            .arg("sensor")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A terminal's ^C is for the command; the sensor must outlive it.
            .process_group(0)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ended("there is no sudo here".into()),
                _ => ended(error.to_string()),
            })?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(RemoteError::Silent { half });
        };
        let (sender, messages) = mpsc::channel(AHEAD);
        tokio::spawn(receive(output, Some(errors), sender));
        let mut remote = Self::new(half, Box::new(input), messages);
        remote._child = Some(child);
        remote.start(config).await?;
        Ok(remote)
    }

    /// Has the daemon watch.
    pub(crate) async fn daemon(socket: &Path, config: &SensorConfig) -> Result<Self, RemoteError> {
        let half = Half::Daemon;
        let stream = Client::connect(socket)?.into_stream();
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| UnixStream::from_std(stream))
            .map_err(ClientError::Io)?;
        let (output, input) = stream.into_split();
        let (sender, messages) = mpsc::channel(AHEAD);
        tokio::spawn(receive(output, None, sender));
        let mut remote = Self::new(half, Box::new(input), messages);
        // Where it was refused, the reading side knows why.
        let _ = remote.send(&Request::Run {}).await;
        remote.start(config).await?;
        Ok(remote)
    }

    fn new(
        half: Half,
        input: Box<dyn AsyncWrite + Send + Unpin>,
        messages: mpsc::Receiver<Message>,
    ) -> Self {
        Self {
            half,
            input,
            messages,
            hooks: Vec::new(),
            early: VecDeque::new(),
            requests: 0,
            _child: None,
        }
    }

    async fn start(&mut self, config: &SensorConfig) -> Result<(), RemoteError> {
        let _ = self.send(&Command::Start(Start::from(config))).await;
        match timeout(START_LIMIT, self.messages.recv()).await {
            Ok(Some(Message::Reply(Reply::Ready { hooks }))) => {
                self.hooks = hooks;
                Ok(())
            }
            Ok(Some(Message::Reply(Reply::Failed { message }))) => Err(self.refused(message)),
            Ok(Some(Message::End(why))) => Err(self.ended(why)),
            Ok(_) | Err(_) => Err(self.silent()),
        }
    }

    fn refused(&self, message: String) -> RemoteError {
        let half = self.half;
        RemoteError::Refused { half, message }
    }

    fn ended(&self, why: String) -> RemoteError {
        let half = self.half;
        RemoteError::Ended { half, why }
    }

    fn silent(&self) -> RemoteError {
        RemoteError::Silent { half: self.half }
    }

    pub(crate) fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    pub(crate) async fn watch(&mut self, pid: u32) -> Result<ProcessKey, RemoteError> {
        self.send(&Command::Watch { pid }).await?;
        self.reply(|reply| match reply {
            Reply::Watched { process } => Some(process),
            _ => None,
        })
        .await
    }

    pub(crate) async fn alive(&mut self) -> Result<Vec<ProcessKey>, RemoteError> {
        self.requests += 1;
        let asked = self.requests;
        self.send(&Command::Alive { number: asked }).await?;
        self.reply(|reply| match reply {
            Reply::Alive { number, processes } if number == asked => Some(processes),
            _ => None,
        })
        .await
    }

    pub(crate) async fn drain(&mut self) -> Result<Batch, RemoteError> {
        self.requests += 1;
        let asked = self.requests;
        self.send(&Command::Drain { number: asked }).await?;
        self.reply(|reply| match reply {
            Reply::Drained { number } if number == asked => Some(()),
            _ => None,
        })
        .await?;
        let mut whole = Batch::default();
        for batch in self.early.drain(..) {
            whole.events.extend(batch.events);
            whole.counters = batch.counters;
        }
        Ok(whole)
    }

    /// Can be cancelled.
    pub(crate) async fn next(&mut self) -> Result<Batch, RemoteError> {
        if let Some(batch) = self.early.pop_front() {
            return Ok(batch);
        }
        loop {
            match self.messages.recv().await {
                Some(Message::Batch(batch)) => return Ok(batch),
                // An answer that came too late for who asked.
                Some(Message::Reply(Reply::Failed { message })) => {
                    return Err(self.refused(message));
                }
                Some(Message::Reply(_)) => {}
                Some(Message::End(why)) => return Err(self.ended(why)),
                None => return Err(self.silent()),
            }
        }
    }

    async fn send(&mut self, command: &impl Serialize) -> Result<(), RemoteError> {
        let line = json_line(command);
        let written = timeout(REPLY_LIMIT, async {
            self.input.write_all(&line).await?;
            self.input.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.ended(error.to_string())),
            Err(_) => Err(self.silent()),
        }
    }

    async fn reply<T>(&mut self, wanted: impl Fn(Reply) -> Option<T>) -> Result<T, RemoteError> {
        let found = async {
            loop {
                match self.messages.recv().await {
                    Some(Message::Batch(batch)) => self.early.push_back(batch),
                    Some(Message::Reply(Reply::Failed { message })) => {
                        return Err(self.refused(message));
                    }
                    Some(Message::Reply(reply)) => {
                        if let Some(found) = wanted(reply) {
                            return Ok(found);
                        }
                    }
                    Some(Message::End(why)) => return Err(self.ended(why)),
                    None => return Err(self.silent()),
                }
            }
        };
        timeout(REPLY_LIMIT, found)
            .await
            .unwrap_or(Err(self.silent()))
    }
}

async fn receive(
    output: impl AsyncRead + Unpin,
    errors: Option<ChildStderr>,
    sender: mpsc::Sender<Message>,
) {
    let said = tokio::spawn(said(errors));
    let mut output = BufReader::with_capacity(1 << 16, output);
    let why = match read_all(&mut output, &sender).await {
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    };
    let said = timeout(Duration::from_secs(1), said).await;
    let why = why
        .or_else(|| said.ok()?.ok().filter(|said| !said.is_empty()))
        .unwrap_or_else(|| "it hung up".to_owned());
    // Nobody listens any more when the run is over.
    let _ = sender.send(Message::End(why)).await;
}

async fn read_all(
    output: &mut BufReader<impl AsyncRead + Unpin>,
    sender: &mpsc::Sender<Message>,
) -> io::Result<()> {
    let mut batch = Batch::default();
    while let Some(line) = line(output, LINE_LIMIT).await? {
        let message = if line.starts_with(b"{\"reply\"") {
            Message::Reply(serde_json::from_slice::<ReplyLine>(&line)?.reply)
        } else if line.starts_with(b"{\"error\"") {
            // Said before it was known that this is a run.
            let Line::Word(Word::Error(message)) = Line::parse(&line)? else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            Message::Reply(Reply::Failed { message })
        } else {
            let event: Event = serde_json::from_slice(&line)?;
            match event.body {
                Body::Counters(counters) => {
                    batch.counters = counters;
                    Message::Batch(std::mem::take(&mut batch))
                }
                _ if batch.events.len() >= BATCH_LIMIT => {
                    return Err(io::Error::other("a batch does not end"));
                }
                _ => {
                    batch.events.push(event);
                    continue;
                }
            }
        };
        if sender.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The last line that sudo or the sensor wrote to standard error.
async fn said(errors: Option<ChildStderr>) -> String {
    let mut bytes = Vec::new();
    let Some(errors) = errors else {
        return String::new();
    };
    // It is only a message; what can't be read of it is left out.
    let _ = errors.take(16 << 10).read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes)
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim()
        .to_owned()
}
