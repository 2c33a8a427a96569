//! The hidden verb `sensor`: the privileged half of `run`, behind `sudo -n`.
//!
//! It believes its caller nothing: it watches only processes of the user that called sudo, takes
//! bounded lines and a bounded share of the machine, writes nothing but events of what it was told
//! to watch, and ends when its standard input does.

use std::collections::HashSet;
use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Uid;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use super::run::wire::{COMMAND_LIMIT, Command, Hook, Reply, ReplyLine, json_line, line};
use crate::edge::{Held, boottime};
use crate::event::{Body, Event, ProcessKey};
use crate::kernel::Sensor;

/// Chunks waiting to be written; behind them the rings fill, whose losses are counted.
const WAITING: usize = 64;

/// Runs until standard input ends. The status is of no interest: what is wrong is said in a reply.
pub(crate) fn sensor() -> ExitCode {
    // What a terminal sends to its whole foreground is meant for the command.
    let terminal = [
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGTSTP,
    ];
    if let Err(errno) = terminal.into_iter().collect::<SigSet>().thread_block() {
        eprintln!("pkgwarden: signals can't be blocked: {errno}");
        return ExitCode::from(125);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("pkgwarden: the sensor can't run: {error}");
            return ExitCode::from(125);
        }
    };
    let ended = runtime.block_on(serve());
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("pkgwarden: {message}");
            ExitCode::from(125)
        }
    }
}

async fn serve() -> Result<(), String> {
    let caller = caller()?;
    let (commands_sender, mut commands) = mpsc::channel(16);
    tokio::spawn(read_commands(commands_sender));
    let (output, chunks) = mpsc::channel(WAITING);
    let writer = tokio::spawn(write_out(chunks));
    let ended = answer(caller, &mut commands, &output).await;
    if let Err(message) = &ended {
        let message = message.clone();
        let failed = json_line(&ReplyLine {
            reply: Reply::Failed { message },
        });
        // Whoever would read it may be gone.
        let _ = output.send(failed).await;
    }
    drop(output);
    let _ = writer.await;
    // A refusal was answered, and is not said twice.
    Ok(())
}

/// Whose processes may be watched: everyone's for root itself.
fn caller() -> Result<Option<Uid>, String> {
    let Some(uid) = std::env::var_os("SUDO_UID") else {
        return Ok(None);
    };
    let uid: u32 = uid
        .to_str()
        .and_then(|uid| uid.parse().ok())
        .ok_or("SUDO_UID is not a number: start the sensor through `pkgwarden run`")?;
    Ok((uid != 0).then_some(Uid::from_raw(uid)))
}

async fn answer(
    caller: Option<Uid>,
    commands: &mut mpsc::Receiver<Result<Command, String>>,
    output: &mpsc::Sender<Vec<u8>>,
) -> Result<(), String> {
    let start = match commands.recv().await {
        Some(Ok(Command::Start(start))) => start,
        Some(Ok(_)) => return Err("the first command must be `start`".into()),
        Some(Err(message)) => return Err(message),
        None => return Ok(()),
    };
    // Held over the start, so that the children of no other process are watched by mistake.
    let carrier = callers(start.carrier, caller)?;
    let config = start.within_limits()?;
    let mut sensor = Sensor::start(&config).map_err(|error| error.to_string())?;
    if !carrier.is_the_same() {
        return Err(format!("process {} has ended", config.carrier.unwrap_or(0)));
    }
    let mut roots = HashSet::new();
    let reply = |reply| json_line(&ReplyLine { reply });
    let hooks = sensor.hooks().iter().map(Hook::from).collect();
    let mut out = reply(Reply::Ready { hooks });
    loop {
        if output.send(std::mem::take(&mut out)).await.is_err() {
            return Ok(());
        }
        tokio::select! {
            command = commands.recv() => match command.transpose()? {
                None | Some(Command::Stop {}) => return Ok(()),
                Some(Command::Start(_)) => return Err("it was started already".into()),
                Some(Command::Watch { pid }) => {
                    let process = watch(&mut sensor, pid, caller)?;
                    roots.insert(process);
                    out = reply(Reply::Watched { process });
                }
                Some(Command::Drain { number }) => {
                    let events = sensor.drain().map_err(|error| error.to_string())?;
                    out = batch(&sensor, events, &roots)?;
                    out.extend(reply(Reply::Drained { number }));
                }
                Some(Command::Alive { number }) => {
                    let processes = sensor.alive();
                    out = reply(Reply::Alive { number, processes });
                }
            },
            events = sensor.next() => {
                let events = events.map_err(|error| error.to_string())?;
                out = batch(&sensor, events, &roots)?;
            }
        }
    }
}

/// Events of the watched trees, and the counters that end a batch.
fn batch(
    sensor: &Sensor,
    events: Vec<Event>,
    roots: &HashSet<ProcessKey>,
) -> Result<Vec<u8>, String> {
    let counters = sensor.counters().map_err(|error| error.to_string())?;
    let end = Event {
        time: boottime(),
        cpu: 0,
        sequence: 0,
        body: Body::Counters(counters),
    };
    let ours = events.iter().filter(|event| {
        event
            .body
            .actor()
            .is_none_or(|actor| roots.contains(&actor.root))
    });
    Ok(ours.chain([&end]).flat_map(json_line).collect())
}

/// Watches a process of the caller's. It is looked at twice around the act, through one handle,
/// so that it can't be exchanged for another one.
fn watch(sensor: &mut Sensor, pid: u32, caller: Option<Uid>) -> Result<ProcessKey, String> {
    let held = callers(pid, caller)?;
    let key = sensor.watch(pid).map_err(|error| error.to_string())?;
    if held.is(key) {
        Ok(key)
    } else {
        Err(format!("process {pid} has ended"))
    }
}

/// A process, if it is the caller's.
fn callers(pid: u32, caller: Option<Uid>) -> Result<Held, String> {
    let held = Held::of_pid(pid).ok_or_else(|| format!("there is no process {pid}"))?;
    match caller {
        Some(caller) if held.uids() != Some([caller.as_raw(); 3]) => Err(format!(
            "process {pid} is not one of uid {caller}: only one's own can be watched"
        )),
        _ => Ok(held),
    }
}

async fn read_commands(sender: mpsc::Sender<Result<Command, String>>) {
    let mut input = BufReader::new(tokio::io::stdin());
    loop {
        let command = match line(&mut input, COMMAND_LIMIT).await {
            Ok(None) => return,
            Ok(Some(line)) => serde_json::from_slice(&line)
                .map_err(|error| format!("a command can't be read: {error}")),
            Err(error) => Err(format!("a command can't be read: {error}")),
        };
        let last = command.is_err();
        if sender.send(command).await.is_err() || last {
            return;
        }
    }
}

async fn write_out(mut chunks: mpsc::Receiver<Vec<u8>>) {
    let mut stdout = tokio::io::stdout();
    while let Some(chunk) = chunks.recv().await {
        if stdout.write_all(&chunk).await.is_err() || stdout.flush().await.is_err() {
            return;
        }
    }
}
