//! The verb `run`: a command, as its caller, under watch.
//!
//! - `options`: what was typed and what it means.
//! - `caller`: whose command it is, also under sudo.
//! - `output`, `sinks`: where findings go.
//! - `child`, `signals`: the command.
//! - `source`, `remote`: where events come from; [`wire`] is the daemon's too.
//! - `pipeline`: from events to findings.
//! - `course`: the run from its start to its end.
//! - `verdict`: the exit status.

mod caller;
pub(super) mod child;
pub(super) mod course;
pub(super) mod options;
pub(super) mod output;
pub(super) mod pipeline;
pub(super) mod remote;
pub(super) mod signals;
pub(super) mod sinks;
pub(super) mod source;
pub(super) mod tuning;
mod verdict;

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use nix::sys::prctl;

use caller::{Caller, CallerError};
use child::Task;
use course::{Course, CourseError};
use options::{IfUnavailable, OptionsError, Watching};
use output::{Manner, OutputError};
use pipeline::Pipeline;
use signals::Signals;
use sinks::{Sinks, say_line};
use source::{Source, SourceError};
use tuning::TuningError;
use verdict::{Gate, SETUP, setup};

pub(super) use crate::control::wire;
pub(crate) use options::RunArgs;
pub(crate) use verdict::{FINDINGS, INCOMPLETE};

use crate::alert::escape;
use crate::alert::report::{Exit, Report};
use crate::control::SOCKET;
use crate::core::{Core, Settings};
use crate::detect::{Level, LoadErrors, RuleSet, Sources};
use crate::sink::{JOURNAL_SOCKET, Outbox, OutboxLimits, markdown};

/// What kept a run from beginning.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    #[error(transparent)]
    Options(#[from] OptionsError),
    #[error(transparent)]
    Tuning(#[from] TuningError),
    #[error("the rules have mistakes; `pkgwarden rules check` shows them as well:\n{0}")]
    Rules(LoadErrors),
    #[error(
        "the configuration disables the rule {0:?}, and there is none: `pkgwarden rules list` names all ids"
    )]
    NoSuchRule(String),
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("journald can't be reached at {JOURNAL_SOCKET}: {0}; run without --journald")]
    Journald(io::Error),
    #[error("the watch can't be set up: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("pkgwarden can't close itself to other processes of the same user (prctl: {0})")]
    Undumpable(nix::Error),
}

/// The files of a run, open since before its command.
#[derive(Default)]
struct Files {
    record: Option<File>,
    alerts: Option<File>,
    report: Option<File>,
    summary: Option<File>,
}

/// Does it; the status is the command's unless something else decides.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    match prepare_and_run(args) {
        Ok(status) => ExitCode::from(status),
        // Many lines, which were made harmless where they were written.
        Err(error @ SetupError::Rules(_)) => {
            say(&error.to_string());
            ExitCode::from(SETUP)
        }
        Err(error) => {
            say(&escape::terminal(&error.to_string()));
            ExitCode::from(SETUP)
        }
    }
}

fn say(sentence: &str) {
    say_line(Some(format!("pkgwarden: {sentence}")));
}

fn prepare_and_run(args: RunArgs) -> Result<u8, SetupError> {
    let github_actions = std::env::var("GITHUB_ACTIONS").ok();
    let tuning = tuning::from_environment()?;
    // rustix reads /proc/self/auxv once, which after the next call only root may (before 6.4).
    procfs::ticks_per_second();
    // Another process of the same user could else take events out of the pipes, or put commands in.
    prctl::set_dumpable(false).map_err(SetupError::Undumpable)?;
    let caller = Caller::behind_sudo()?;
    // What the caller names is read as the caller: under sudo a rules folder or a configuration file
    // that only root may read would come back in an error.
    let resolve = || args.watch.resolve();
    let watching = match &caller {
        Some(caller) => caller.act(resolve)??,
        None => resolve()?,
    };
    // While there is one thread: the caller's identity is taken for a moment.
    let open = || Files::open(&watching, args.report.as_deref(), args.summary.as_deref());
    let files = match &caller {
        Some(caller) => caller.act(open)??,
        None => open()?,
    };
    let load = || RuleSet::load(&watching.sources()).map_err(SetupError::Rules);
    let mut rules = match &caller {
        Some(caller) => caller.act(load)??,
        None => load()?,
    };
    for id in &watching.disabled {
        if !rules.disable(id) {
            return Err(SetupError::NoSuchRule(id.clone()));
        }
    }
    if let Some(caller) = &caller {
        say(&format!(
            "the command runs as {}: run pkgwarden without sudo, it asks sudo itself for what it needs",
            caller.name
        ));
    }
    let config = tuning.config(rules.watch_set());
    let mut sinks = Sinks::to_stderr(watching.min_level);
    if let Some(path) = &watching.alerts {
        sinks
            .add_alerts(files.alerts, &path.to_string_lossy())
            .map_err(SetupError::Runtime)?;
    }
    if watching.journald == Some(true) {
        let outbox = Outbox::open(Path::new(JOURNAL_SOCKET), None, OutboxLimits::default());
        sinks.add_journald(outbox.map_err(SetupError::Journald)?);
    }
    if args.annotate.is_on(github_actions.as_deref()) {
        sinks.add_annotations();
    }
    let core = Core::new(Settings {
        rules,
        trust: watching.trust,
    });
    let mut pipeline = Pipeline::new(core, sinks);
    if let Some(file) = files.record {
        pipeline.record_to(file);
    }
    let task = Task {
        command: args.command,
        caller,
        ..Task::default()
    };
    let control = args.control.unwrap_or_else(|| PathBuf::from(SOCKET));
    let closing = Closing {
        report: files.report,
        summary: files.summary,
        fail_on: args.fail_on,
        findings_status: args.exit_code.unwrap_or(FINDINGS),
    };

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()
        .map_err(SetupError::Runtime)?;
    let status = runtime.block_on(async {
        let mut signals = Signals::take().map_err(SetupError::Runtime)?;
        let source = Source::open(&config, &control).await;
        let mut interim = |pipeline: &Pipeline| {
            if let Some(file) = &closing.report {
                write_report(file, &pipeline.report());
            }
        };
        let course = Course {
            task: &task,
            linger: args.linger,
            signals: &mut signals,
            interim: &mut interim,
        };
        let ended = match source {
            Ok(mut source) => course.watched(&mut source, &mut pipeline).await,
            Err(error) if args.if_unavailable == IfUnavailable::Warn => {
                say(&format!("nothing is watched: {error}"));
                course.unwatched(&error.to_string(), &mut pipeline).await
            }
            Err(error) => Err(CourseError::Source(error)),
        };
        pipeline.sinks.close().await;
        let status = closing.close(ended, &mut pipeline);
        pipeline.close_recording().await;
        Ok(status)
    });
    // A read of a watched file may still hang; it is not waited for.
    runtime.shutdown_background();
    status
}

impl Watching {
    pub(crate) fn sources(&self) -> Sources {
        Sources {
            shipped: self.shipped,
            rule_dirs: self.rule_dirs.clone(),
            filter_dirs: self.filter_dirs.clone(),
        }
    }
}

impl Files {
    fn open(
        watching: &Watching,
        report: Option<&Path>,
        summary: Option<&Path>,
    ) -> Result<Self, OutputError> {
        let open =
            |path: Option<&Path>, manner| path.map(|path| output::create(path, manner)).transpose();
        let alerts = watching
            .alerts
            .as_deref()
            .filter(|path| *path != Path::new("-"));
        Ok(Self {
            record: open(watching.record.as_deref(), Manner::Private)?,
            alerts: open(alerts, Manner::Stream)?,
            report: open(report, Manner::Whole)?,
            summary: open(summary, Manner::Append)?,
        })
    }
}

/// The end of a run.
struct Closing {
    report: Option<File>,
    summary: Option<File>,
    fail_on: Option<Level>,
    findings_status: u8,
}

impl Closing {
    fn close(&self, ended: Result<ExitStatus, CourseError>, pipeline: &mut Pipeline) -> u8 {
        let mut report = pipeline.report();
        let started = ended.is_ok();
        let (status, exit) = match ended {
            Ok(command) => {
                let gate = Gate {
                    findings: self.fail_on.map(|level| pipeline.sinks.reached(level)),
                    complete: report.completeness.complete,
                    findings_status: self.findings_status,
                };
                gate.decide(command)
            }
            Err(error) => not_started(&error),
        };
        report.exit = Some(exit);
        pipeline.sinks.finish(report.completeness.complete);
        if let Some(file) = &self.report {
            write_report(file, &report);
        }
        if let Some(mut file) = self.summary.as_ref()
            && let Err(error) = file.write_all(markdown(&report, pipeline.sinks.kept()).as_bytes())
        {
            say(&format!("the summary can't be written: {error}"));
        }
        if started {
            say(&closing_sentence(&report));
        }
        status
    }
}

fn not_started(error: &CourseError) -> (u8, Exit) {
    let status = match error {
        CourseError::Start(error) => error.exit_status(),
        CourseError::Source(_) | CourseError::Wait(_) => SETUP,
    };
    // The name of the command is the caller's own word, yet it may hold anything.
    say(&escape::terminal(&error.to_string()));
    (status, setup(status))
}

fn write_report(mut file: &File, report: &Report) {
    let mut json = escape::json(report);
    json.push('\n');
    let written = (|| {
        file.rewind()?;
        file.write_all(json.as_bytes())?;
        // An earlier state of it may have been longer. Not all that can be written to has a length.
        if file.metadata()?.is_file() {
            file.set_len(json.len() as u64)?;
        }
        io::Result::Ok(())
    })();
    if let Err(error) = written {
        say(&format!("the report can't be written: {error}"));
    }
}

/// What was found, in one line.
fn closing_sentence(report: &Report) -> String {
    let total: u64 = report.alerts_by.level.values().sum();
    let found = match total {
        0 if report.processes == 0 => return "nothing was watched".to_owned(),
        0 => "nothing found".to_owned(),
        _ => {
            let by_level: Vec<String> = ["critical", "high", "medium", "low", "informational"]
                .into_iter()
                .filter_map(|level| Some(format!("{} {level}", report.alerts_by.level.get(level)?)))
                .collect();
            let word = if total == 1 { "alert" } else { "alerts" };
            format!("{total} {word} ({})", by_level.join(", "))
        }
    };
    let left = match report.still_running.len() {
        0 => String::new(),
        1 => "; 1 process still runs".to_owned(),
        n => format!("; {n} processes still run"),
    };
    let seen = match report.completeness.complete {
        true => "everything was seen".to_owned(),
        false => match report.completeness.degraded.first() {
            Some(why) => format!("not everything was seen: {}", escape::terminal(why)),
            None => "not everything was seen".to_owned(),
        },
    };
    format!("{found} in {} programs{left}; {seen}", report.processes)
}
