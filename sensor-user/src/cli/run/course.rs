//! The course of one watched command: held back, entered into the lineage set, let go, followed
//! to its end and, for a while, beyond it.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::child::{self, Running, StartError, Task};
use super::pipeline::Pipeline;
use super::signals::Signals;
use super::source::{Batch, Source, SourceError};
use super::wire::Hook;
use crate::edge::{boottime, host, users, wall_offset};
use crate::event::{Body, ProcessKey, Start, Text, redact};

/// After a signal the report is promised within two seconds; the rest is for writing it.
const PATIENCE: Duration = Duration::from_millis(1_200);
/// How often it is looked whether descendants still live.
const LINGER_STEP: Duration = Duration::from_millis(50);

/// Why nothing was watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CourseError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the command's end can't be waited for: {0}")]
    Wait(io::Error),
}

/// What a run does beside the watching.
pub(crate) struct Course<'a> {
    pub(crate) task: &'a Task,
    pub(crate) linger: Duration,
    pub(crate) signals: &'a mut Signals,
    /// Writes the report as it stands, when the command outlives a signal.
    pub(crate) interim: &'a mut dyn FnMut(&Pipeline),
}

impl Course<'_> {
    /// Runs the command under watch.
    pub(crate) async fn watched(
        self,
        source: &mut Source,
        pipeline: &mut Pipeline,
    ) -> Result<ExitStatus, CourseError> {
        let begun = boottime();
        let held = child::hold(self.task).await?;
        let root = source.watch(held.pid()).await?;
        let start = start(self.task, Some(root), source.hooks());
        pipeline.take_at(begun, Body::Start(Box::new(start)));
        // What the process did so far was not the command's doing.
        pipeline.only(root, boottime());
        let running = held.release().await?;
        self.follow(running, Some((source, root)), pipeline).await
    }

    /// Runs the command unwatched, for the reason given.
    pub(crate) async fn unwatched(
        self,
        why: &str,
        pipeline: &mut Pipeline,
    ) -> Result<ExitStatus, CourseError> {
        pipeline.own(Body::Start(Box::new(Start {
            blind: true,
            degraded: vec![format!("nothing was watched: {why}")],
            ..start(self.task, None, &[])
        })));
        pipeline.trouble(format!("nothing was watched: {why}"));
        let running = child::hold(self.task).await?.release().await?;
        self.follow(running, None, pipeline).await
    }

    async fn follow(
        self,
        mut running: Running,
        watching: Option<(&mut Source, ProcessKey)>,
        pipeline: &mut Pipeline,
    ) -> Result<ExitStatus, CourseError> {
        let (mut source, root) = watching.unzip();
        let mut report_due: Option<Instant> = None;
        let mut told_to_end: Option<Instant> = None;
        let status = loop {
            tokio::select! {
                biased;
                received = self.signals.next() => {
                    if !received.from_terminal {
                        running.signal(received.signal);
                    }
                    if told_to_end.is_none() {
                        told_to_end = Some(Instant::now() + PATIENCE);
                        report_due = told_to_end;
                    }
                },
                () = until(report_due) => {
                    pipeline.flush();
                    (self.interim)(pipeline);
                    // Once is enough: the next one is the real one.
                    report_due = None;
                },
                ended = running.wait() => break ended.map_err(CourseError::Wait)?,
                () = pipeline.output_ready() => pipeline.turn(),
                batch = next(&mut source) => match batch {
                    Ok(batch) => pipeline.batch(batch).await,
                    Err(error) => {
                        source = None;
                        pipeline.trouble(format!("the watch ended before the command: {error}"));
                    }
                },
            }
        };
        if let (Some(source), Some(root)) = (source, root) {
            let linger = match told_to_end {
                None => Instant::now() + self.linger,
                Some(due) => due.min(Instant::now() + self.linger),
            };
            if let Err(error) = after(source, root, status, linger, pipeline).await {
                pipeline.trouble(format!("the watch ended before its time: {error}"));
            }
        }
        pipeline.read_the_rest().await;
        pipeline.own(Body::End);
        pipeline.flush();
        Ok(status)
    }
}

/// The end of the command, what outlives it, and the last accounting.
async fn after(
    source: &mut Source,
    root: ProcessKey,
    status: ExitStatus,
    until: Instant,
    pipeline: &mut Pipeline,
) -> Result<(), SourceError> {
    pipeline.batch(source.drain().await?).await;
    pipeline.own(Body::CommandEnded {
        root,
        status: status.into_raw(),
    });
    loop {
        let others = source.alive().await?.iter().any(|process| *process != root);
        let now = Instant::now();
        if !others || now >= until {
            break;
        }
        let step = until.min(now + LINGER_STEP);
        tokio::select! {
            batch = source.next() => pipeline.batch(batch?).await,
            () = pipeline.output_ready() => pipeline.turn(),
            () = sleep_until(step) => {}
        }
    }
    pipeline.batch(source.drain().await?).await;
    Ok(())
}

async fn next(source: &mut Option<&mut Source>) -> Result<Batch, SourceError> {
    match source {
        Some(source) => source.next().await,
        None => std::future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The first record of a run.
fn start(task: &Task, root: Option<ProcessKey>, hooks: &[Hook]) -> Start {
    let mut command: Vec<Text> = task
        .command
        .iter()
        .map(|arg| Text::from(arg.as_bytes()))
        .collect();
    redact::args(&mut command);
    let directory = task
        .directory
        .clone()
        .or_else(|| std::env::current_dir().ok());
    Start {
        command,
        working_directory: directory
            .map(|path| Text::from(path.as_os_str().as_bytes()))
            .unwrap_or_default(),
        root,
        ..seen_by(hooks)
    }
}

/// The first record, but for what is watched: the machine, and what can be seen on it.
pub(crate) fn seen_by(hooks: &[Hook]) -> Start {
    let chosen = |hook: &Hook| Some(format!("{}: {}", hook.kind, hook.chosen.as_ref()?));
    let unfed = || hooks.iter().filter(|hook| hook.chosen.is_none());
    let sentence = |hook: &Hook| {
        let why = hook
            .refused
            .last()
            .map_or("no hook is known for it", |(_, why)| why);
        format!("{} is not seen on this kernel: {why}", hook.kind)
    };
    Start {
        wall_offset: wall_offset(),
        host: host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hooks: hooks.iter().filter_map(chosen).collect(),
        blind: unfed().any(|hook| !hook.optional),
        degraded: unfed().map(sentence).collect(),
        users: users(),
        ..Start::default()
    }
}
