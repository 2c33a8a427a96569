//! The verb `selftest`: does an attack raise its alert on this machine?
//!
//! Five harmless packages do what malicious ones do, with the machine's own npm and pip, in a
//! folder of their own that is removed afterwards. They run under the very machinery of `run`.

mod fixture;
mod scratch;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use super::run::child::Task;
use super::run::course::{Course, CourseError};
use super::run::pipeline::Pipeline;
use super::run::remote::RemoteError;
use super::run::signals::Signals;
use super::run::sinks::Sinks;
use super::run::source::{Source, SourceError};
use super::run::tuning;
use super::{NO_PRIVILEGES, print};
use crate::alert::escape::terminal;
use crate::alert::report::Report;
use crate::alert::schema::Alert;
use crate::control;
use crate::core::{Core, Settings};
use crate::detect::{Branch, Level, RuleSet, Sources};
use crate::kernel::SensorError;
use crate::names::Trust;

use fixture::{Prepared, Skip};
use scratch::Scratch;

/// pip on a slow machine takes a quarter of it.
const LIMIT: Duration = Duration::from_secs(120);

/// Run five harmless attacks and say which were detected
#[derive(Debug, Args)]
pub(crate) struct SelftestArgs {}

/// What a test must show.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Alert(Branch, Level),
    /// Nothing at medium or above, and the connection to this port in the report.
    OnlyRecorded(u16),
}

/// One test.
struct Test {
    name: &'static str,
    prepare: fn(&Scratch) -> Result<Prepared, Skip>,
    expected: Expected,
}

const TESTS: [Test; 6] = [
    Test {
        name: "1 setup.py runs whoami through a shell",
        prepare: fixture::setup_py,
        expected: Expected::Alert(
            Branch::PackageInstallSpawnedSuspiciousProcess,
            Level::Medium,
        ),
    },
    Test {
        name: "2 npm postinstall runs id through sh",
        prepare: fixture::postinstall,
        expected: Expected::Alert(
            Branch::PackageInstallSpawnedSuspiciousProcess,
            Level::Medium,
        ),
    },
    Test {
        name: "3 library calls out to port 4444",
        prepare: fixture::callback_to_public,
        expected: Expected::Alert(Branch::MaliciousLibraryC2Callback, Level::High),
    },
    Test {
        name: "3 the same to loopback is only recorded",
        prepare: fixture::callback_to_loopback,
        expected: Expected::OnlyRecorded(fixture::CALLBACK_PORT),
    },
    Test {
        name: "4 library writes start-up files",
        prepare: fixture::persistence,
        expected: Expected::Alert(Branch::PackageInstallerDroppedExecutable, Level::High),
    },
    Test {
        name: "5 library opens the browser's passwords",
        prepare: fixture::harvester,
        expected: Expected::Alert(Branch::CredentialStoreAccess, Level::High),
    },
];

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Detected(String),
    Missed(String),
    Skipped(String),
}

/// Runs them; 1 when one was not detected.
pub(crate) fn selftest(_: &SelftestArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("pkgwarden: the selftest can't be set up: {error}");
            return ExitCode::from(1);
        }
    };
    let status = match runtime.block_on(run_all()) {
        Ok(missed) => ExitCode::from(missed.min(1)),
        Err(error) => {
            eprintln!("pkgwarden: {}", terminal(&error.to_string()));
            ExitCode::from(refusal_status(&error))
        }
    };
    runtime.shutdown_background();
    status
}

/// Why no test can run.
#[derive(Debug, thiserror::Error)]
enum SelftestError {
    #[error("the selftest can't be set up: {0}")]
    Signals(std::io::Error),
    #[error("no folder for the selftest can be made: {0}")]
    Scratch(std::io::Error),
    #[error(transparent)]
    Tuning(#[from] tuning::TuningError),
    #[error("the shipped rules have mistakes:\n{0}")]
    Rules(crate::detect::LoadErrors),
    #[error(transparent)]
    Source(#[from] SourceError),
}

fn refusal_status(error: &SelftestError) -> u8 {
    match error {
        SelftestError::Source(
            SourceError::Remote(RemoteError::NoWay { .. })
            | SourceError::Sensor(SensorError::NoPrivileges(_)),
        ) => NO_PRIVILEGES,
        _ => 1,
    }
}

/// Gives how many were missed.
async fn run_all() -> Result<u8, SelftestError> {
    let mut signals = Signals::take().map_err(SelftestError::Signals)?;
    let watch = shipped_rules()?.watch_set();
    let mut source = Source::open(
        &tuning::from_environment()?.config(watch),
        &control::client::path(),
    )
    .await?;
    let mut missed = 0;
    for test in &TESTS {
        let (word, said) = match run(test, &mut source, &mut signals).await? {
            Outcome::Detected(said) => ("detected", said),
            Outcome::Skipped(said) => ("SKIP", said),
            Outcome::Missed(said) => {
                missed += 1;
                ("MISSED", said)
            }
        };
        let said = terminal(&said);
        print(&format!("{word:<9} {}\n{:10}{said}\n", test.name, ""));
    }
    Ok(missed)
}

fn shipped_rules() -> Result<RuleSet, SelftestError> {
    let sources = Sources {
        shipped: true,
        ..Sources::default()
    };
    RuleSet::load(&sources).map_err(SelftestError::Rules)
}

async fn run(
    test: &Test,
    source: &mut Source,
    signals: &mut Signals,
) -> Result<Outcome, SelftestError> {
    let scratch = Scratch::new().map_err(SelftestError::Scratch)?;
    let prepared = match (test.prepare)(&scratch) {
        Ok(prepared) => prepared,
        Err(Skip(why)) => return Ok(Outcome::Skipped(why)),
    };
    let rules = shipped_rules()?;
    let core = Core::new(Settings {
        rules,
        trust: Trust::default(),
    });
    let mut pipeline = Pipeline::new(core, Sinks::kept_only(Level::Informational));
    let task = Task {
        command: prepared.command,
        environment: Some(scratch.environment(&prepared.variables)),
        directory: Some(scratch.project()),
        no_network: prepared.no_network,
        silent: true,
        ..Task::default()
    };
    let course = Course {
        task: &task,
        linger: Duration::ZERO,
        signals,
        interim: &mut |_| {},
    };
    let ended = timeout(LIMIT, course.watched(source, &mut pipeline)).await;
    Ok(match ended {
        Err(_) => Outcome::Missed(format!("it did not end within {} seconds", LIMIT.as_secs())),
        Ok(Err(CourseError::Source(error))) => return Err(error.into()),
        Ok(Err(error)) => Outcome::Skipped(error.to_string()),
        Ok(Ok(status)) if prepared.must_succeed && !status.success() => {
            Outcome::Skipped(format!("{} failed: {status}", prepared.tool))
        }
        Ok(Ok(_)) => judge(test.expected, pipeline.sinks.kept(), &pipeline.report()),
    })
}

fn judge(expected: Expected, alerts: &[Alert], report: &Report) -> Outcome {
    let loud = alerts.iter().find(|alert| alert.level >= Level::Medium);
    match expected {
        Expected::Alert(branch, level) => {
            let fits = |alert: &&Alert| alert.detection_branch == branch && alert.level >= level;
            match (alerts.iter().find(fits), loud) {
                (Some(alert), _) => Outcome::Detected(alert.summary.clone()),
                (None, Some(other)) => {
                    Outcome::Missed(format!("only another alert was raised: {}", other.summary))
                }
                (None, None) => Outcome::Missed(format!(
                    "no alert, in {} programs; {}",
                    report.processes,
                    match report.completeness.complete {
                        true => "everything was seen",
                        false => "not everything was seen",
                    }
                )),
            }
        }
        Expected::OnlyRecorded(port) => {
            let connection = report
                .connections
                .iter()
                .find(|connection| connection.port == Some(port));
            match (loud, connection) {
                (Some(alert), _) => Outcome::Missed(format!("it was alerted: {}", alert.summary)),
                (None, None) => Outcome::Missed("the connection is not in the report".to_owned()),
                (None, Some(found)) => Outcome::Detected(format!(
                    "{} port {port}, {:?}, no alert",
                    found.ip.as_deref().unwrap_or("?"),
                    found.outcome
                )),
            }
        }
    }
}
