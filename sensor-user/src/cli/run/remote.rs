//! The unprivileged side of `sudo -n pkgwarden sensor`.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command as Process};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::source::Batch;
use super::wire::{Command, Hook, LINE_LIMIT, Reply, ReplyLine, Start, json_line, line};
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
    #[error(
        "watching needs root, and `sudo -n` gave no way to it ({0}): run pkgwarden as root, or allow `pkgwarden sensor` in sudoers"
    )]
    NoWay(String),
    #[error("the privileged half can't watch: {0}")]
    Refused(String),
    #[error("the privileged half ended: {0}")]
    Ended(String),
    #[error("the privileged half does not answer")]
    Silent,
}

#[derive(Debug)]
enum Message {
    Batch(Batch),
    Reply(Reply),
    /// Nothing comes any more.
    End(String),
}

/// A running privileged half. It ends when this is dropped, since its standard input closes.
#[derive(Debug)]
pub(crate) struct Remote {
    input: ChildStdin,
    messages: mpsc::Receiver<Message>,
    hooks: Vec<Hook>,
    /// Came while something else was waited for.
    early: VecDeque<Batch>,
    requests: u64,
    _child: Child,
}

impl Remote {
    /// Starts it and waits until it watches.
    pub(crate) async fn start(program: &OsStr, config: &SensorConfig) -> Result<Self, RemoteError> {
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
                io::ErrorKind::NotFound => RemoteError::NoWay("there is no sudo here".into()),
                _ => RemoteError::NoWay(error.to_string()),
            })?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(RemoteError::Silent);
        };
        let (sender, messages) = mpsc::channel(AHEAD);
        tokio::spawn(receive(output, errors, sender));
        let mut remote = Self {
            input,
            messages,
            hooks: Vec::new(),
            early: VecDeque::new(),
            requests: 0,
            _child: child,
        };
        // Where sudo refused, the reading side knows why.
        let _ = remote.send(&Command::Start(Start::from(config))).await;
        match timeout(START_LIMIT, remote.messages.recv()).await {
            Ok(Some(Message::Reply(Reply::Ready { hooks }))) => {
                remote.hooks = hooks;
                Ok(remote)
            }
            Ok(Some(Message::Reply(Reply::Failed { message }))) => {
                Err(RemoteError::Refused(message))
            }
            Ok(Some(Message::End(why))) => Err(RemoteError::NoWay(why)),
            Ok(_) | Err(_) => Err(RemoteError::Silent),
        }
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
                    return Err(RemoteError::Refused(message));
                }
                Some(Message::Reply(_)) => {}
                Some(Message::End(why)) => return Err(RemoteError::Ended(why)),
                None => return Err(RemoteError::Silent),
            }
        }
    }

    async fn send(&mut self, command: &Command) -> Result<(), RemoteError> {
        let line = json_line(command);
        let written = timeout(REPLY_LIMIT, async {
            self.input.write_all(&line).await?;
            self.input.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(RemoteError::Ended(error.to_string())),
            Err(_) => Err(RemoteError::Silent),
        }
    }

    async fn reply<T>(&mut self, wanted: impl Fn(Reply) -> Option<T>) -> Result<T, RemoteError> {
        let found = async {
            loop {
                match self.messages.recv().await {
                    Some(Message::Batch(batch)) => self.early.push_back(batch),
                    Some(Message::Reply(Reply::Failed { message })) => {
                        return Err(RemoteError::Refused(message));
                    }
                    Some(Message::Reply(reply)) => {
                        if let Some(found) = wanted(reply) {
                            return Ok(found);
                        }
                    }
                    Some(Message::End(why)) => return Err(RemoteError::Ended(why)),
                    None => return Err(RemoteError::Silent),
                }
            }
        };
        timeout(REPLY_LIMIT, found)
            .await
            .unwrap_or(Err(RemoteError::Silent))
    }
}

async fn receive(output: ChildStdout, errors: ChildStderr, sender: mpsc::Sender<Message>) {
    let said = tokio::spawn(said(errors));
    let mut output = BufReader::with_capacity(1 << 16, output);
    let why = match read_all(&mut output, &sender).await {
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    };
    let said = timeout(Duration::from_secs(1), said).await;
    let why = why
        .or_else(|| said.ok()?.ok().filter(|said| !said.is_empty()))
        .unwrap_or_else(|| "it said nothing".to_owned());
    // Nobody listens any more when the run is over.
    let _ = sender.send(Message::End(why)).await;
}

async fn read_all(
    output: &mut BufReader<ChildStdout>,
    sender: &mpsc::Sender<Message>,
) -> io::Result<()> {
    let mut batch = Batch::default();
    while let Some(line) = line(output, LINE_LIMIT).await? {
        let message = if line.starts_with(b"{\"reply\"") {
            Message::Reply(serde_json::from_slice::<ReplyLine>(&line)?.reply)
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
async fn said(errors: ChildStderr) -> String {
    let mut bytes = Vec::new();
    // It is only a message; what can't be read of it is left out.
    let _ = errors.take(16 << 10).read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes)
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim()
        .to_owned()
}
