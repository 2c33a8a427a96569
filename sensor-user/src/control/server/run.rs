//! A client that runs a command under the daemon's watch. It is believed nothing, as by
//! `pkgwarden sensor`: only its own process becomes a carrier, only a child of its is watched.

use std::sync::Arc;

use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{FLUSH_LIMIT, Registered, Shared, write_out};
use crate::control::call::{Begin, Call, Refusal};
use crate::control::outbox::Outbox;
use crate::control::peer::PeerProcess;
use crate::control::wire::{Command, Reply, ReplyLine, Start, json_line, line};
use crate::event::ProcessKey;

/// Holds a watch set; that of the shipped rules takes a tenth of it.
const START_LIMIT: usize = 256 << 10;
/// Any other command.
const COMMAND_LIMIT: usize = 4 << 10;

pub(super) async fn run(
    shared: &Arc<Shared>,
    process: PeerProcess,
    input: BufReader<OwnedReadHalf>,
    mut output: OwnedWriteHalf,
) {
    let (outbox, mut pieces) = shared.outboxes.open(process.peer.uid);
    let mut writer = tokio::spawn(async move { write_out(&mut pieces, &mut output).await });
    let (sender, commands) = mpsc::channel(1);
    let reader = tokio::spawn(read_commands(input, sender));
    let mut run = Run {
        registered: shared.register(),
        process,
        outbox,
        roots: Vec::new(),
    };
    let ended = tokio::select! {
        ended = run.serve(commands) => ended,
        _ = &mut writer => Ok(()),
        () = shared.calls.closed() => Err("it was stopped".to_owned()),
    };
    if let Err(message) = ended {
        run.reply(Reply::Failed { message });
    }
    reader.abort();
    drop(run);
    if !writer.is_finished() && timeout(FLUSH_LIMIT, &mut writer).await.is_err() {
        writer.abort();
    }
}

struct Run {
    registered: Registered,
    process: PeerProcess,
    outbox: Outbox,
    roots: Vec<ProcessKey>,
}

impl Run {
    async fn serve(
        &mut self,
        mut commands: mpsc::Receiver<Result<Command, Refusal>>,
    ) -> Result<(), Refusal> {
        let first_line = self.registered.shared.limits.first_line;
        match timeout(first_line, commands.recv()).await {
            Ok(Some(Ok(Command::Start(start)))) => self.begin(start).await?,
            Ok(Some(Ok(_))) => return Err("the first command must be `start`".to_owned()),
            Ok(Some(Err(refusal))) => return Err(refusal),
            Ok(None) => return Ok(()),
            Err(_) => return Err("nothing was started in time".to_owned()),
        }
        while let Some(command) = commands.recv().await.transpose()? {
            match command {
                Command::Stop {} => break,
                Command::Start(_) => return Err("it was started already".to_owned()),
                Command::Watch { pid } => self.watch(pid).await?,
                Command::Drain { number } => {
                    self.registered
                        .shared
                        .drains
                        .join(Some(self.registered.client))
                        .await?;
                    self.reply(Reply::Drained { number });
                }
                Command::Alive { number } => {
                    let all = self.registered.shared.alive.join(None).await?;
                    let own = all
                        .iter()
                        .filter(|living| self.roots.contains(&living.root));
                    let processes = own.map(|living| living.process).collect();
                    self.reply(Reply::Alive { number, processes });
                }
            }
        }
        Ok(())
    }

    async fn begin(&mut self, start: Start) -> Result<(), Refusal> {
        let peer = self.process.peer;
        self.process.check()?;
        if start.carrier != peer.pid {
            return Err(format!(
                "process {} is not yours to be watched for: you are process {} here",
                start.carrier, peer.pid
            ));
        }
        let config = start.within_limits()?;
        let offer = Arc::clone(&self.registered.shared.offers.borrow());
        if !offer.watch.covers(&config.watch) {
            return Err(
                "your rules look at files that the daemon's rules do not: add yours to its configuration"
                    .to_owned(),
            );
        }
        let hooks = offer.hooks.clone();
        let client = self.registered.client;
        let outbox = self.outbox.clone();
        let call = |answer| {
            Call::Begin(Begin {
                client,
                peer,
                watch: config.watch,
                offer,
                outbox,
                answer,
            })
        };
        self.registered.shared.ask(call).await?;
        // Its pid may have become another process's before it became a carrier.
        self.process.check()?;
        self.reply(Reply::Ready { hooks });
        Ok(())
    }

    async fn watch(&mut self, pid: u32) -> Result<(), Refusal> {
        let held = self.process.child(pid)?;
        let client = self.registered.client;
        let call = |answer| Call::Watch {
            client,
            pid,
            answer,
        };
        let process = self.registered.shared.ask(call).await?;
        if !held.is(process) {
            return Err(format!("process {pid} has ended"));
        }
        if !self.roots.contains(&process) {
            self.roots.push(process);
        }
        self.reply(Reply::Watched { process });
        Ok(())
    }

    fn reply(&self, reply: Reply) {
        // A client that reads nothing has no room left for it, and misses nothing that it would read.
        let _ = self.outbox.push_reply(json_line(&ReplyLine { reply }));
    }
}

/// Reads one command ahead.
async fn read_commands(
    mut input: BufReader<OwnedReadHalf>,
    sender: mpsc::Sender<Result<Command, Refusal>>,
) {
    let mut limit = START_LIMIT;
    loop {
        let command = match line(&mut input, limit).await {
            Ok(None) => return,
            Ok(Some(line)) => serde_json::from_slice(&line)
                .map_err(|error| format!("a command can't be read: {error}")),
            Err(error) => Err(format!("a command can't be read: {error}")),
        };
        let last = command.is_err();
        if sender.send(command).await.is_err() || last {
            return;
        }
        limit = COMMAND_LIMIT;
    }
}
