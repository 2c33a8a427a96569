//! The verb `daemon`: the systemd service.
//!
//! - `policy`: rules and configuration, which a reload reads anew.
//! - `enter`: which executables begin a lineage.
//! - `single`: one daemon at a time.
//! - `service`: the loop.
//! - `scan`: what ran already.
//! - `flow`: from events to findings.
//! - `outputs`: where findings go.
//! - `clock`: a wall clock that is set.
//! - `notify`: what systemd is told.
//! - `say`: the daemon's own words.

mod clock;
pub(super) mod enter;
mod flow;
mod notify;
mod outputs;
mod policy;
mod say;
mod scan;
mod service;
mod single;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::run::course::seen_by;
use super::run::options::WatchArgs;
use super::run::output::{self, Manner, OutputError};
use super::run::signals::Signals;
use super::run::source::may_load;
use super::run::tuning::{self, TuningError};
use super::run::wire::Hook;
use super::{NO_PRIVILEGES, USAGE};
use crate::core::Core;
use crate::kernel::{Sensor, SensorError};
use crate::sink::JOURNAL_SOCKET;
use flow::Flow;
use outputs::Outputs;
use policy::{Policy, PolicyError};
use service::Service;
use single::{Single, SingleError};

/// Where the daemon keeps what outlives it.
const STATE: &str = "/var/lib/pkgwarden";

/// Watch the whole host, as the systemd service does
#[derive(Debug, Args)]
#[command(
    after_help = "SIGHUP reads configuration and rules anew, all or nothing, and reopens --alerts. \
                  SIGTERM ends it once everything that happened before is handled. Exit status: 0 \
                  ended by a signal, 64 a wrong command line, configuration or rule, 77 no privileges, \
                  1 anything else."
)]
pub(crate) struct DaemonArgs {
    #[command(flatten)]
    watch: WatchArgs,

    /// Keep state in this folder
    #[arg(long, value_name = "DIR", default_value = STATE, hide = true)]
    state: PathBuf,

    /// Send to the journal at this socket
    #[arg(long, value_name = "PATH", default_value = JOURNAL_SOCKET, hide = true)]
    journal_socket: PathBuf,
}

/// What kept the daemon from watching, or from going on.
#[derive(Debug, thiserror::Error)]
enum DaemonError {
    #[error(
        "the daemon may not load eBPF programs: start it as root, by `systemctl start pkgwarden`"
    )]
    Privileges,
    #[error(transparent)]
    Tuning(#[from] TuningError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Single(#[from] SingleError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("the daemon can't be set up: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Sensor(#[from] SensorError),
}

impl DaemonError {
    fn exit_status(&self) -> u8 {
        match self {
            DaemonError::Privileges | DaemonError::Sensor(SensorError::NoPrivileges(_)) => {
                NO_PRIVILEGES
            }
            DaemonError::Tuning(_) | DaemonError::Policy(_) => USAGE,
            _ => 1,
        }
    }
}

/// Watches until a signal ends it.
pub(crate) fn daemon(args: DaemonArgs) -> ExitCode {
    match watch(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&error.to_string());
            ExitCode::from(error.exit_status())
        }
    }
}

fn watch(args: DaemonArgs) -> Result<(), DaemonError> {
    if !may_load() {
        return Err(DaemonError::Privileges);
    }
    let tuning = tuning::from_environment()?;
    let policy = Policy::load(&args.watch)?;
    let _single = Single::lock(&args.state)?;
    let outputs = Outputs::open(
        policy.min_level,
        policy.alerts.as_deref(),
        policy.journald,
        &args.journal_socket,
    )?;
    let record = args.watch.record.as_deref();
    let record = record
        .map(|path| output::create(path, Manner::Private))
        .transpose()?;
    let names = enter::names();
    let mut config = tuning.config(policy.watch);
    config.carrier = None;
    config.enter.clone_from(&names);
    let core = Core::sharing(policy.rules, policy.trust);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()
        .map_err(DaemonError::Runtime)?;
    let ended = runtime.block_on(async {
        let signals = Signals::take().map_err(DaemonError::Runtime)?;
        let sensor = Sensor::start(&config)?;
        let hooks: Vec<Hook> = sensor.hooks().iter().map(Hook::from).collect();
        let service = Service {
            args,
            flow: Flow::begin(core, outputs, record, seen_by(&hooks)),
            sensor,
            names,
            adopted: Vec::new(),
        };
        Ok(service.run(signals).await?)
    });
    // A read of a watched file may still hang; it is not waited for.
    runtime.shutdown_background();
    ended
}
