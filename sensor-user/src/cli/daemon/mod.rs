//! The verb `daemon`: the systemd service.
//!
//! - `policy`: rules and configuration, which a reload reads anew.
//! - `enter`: which executables begin a lineage.
//! - `single`: one daemon at a time.
//! - `service`: the loop; `calls`, `reload` and `round` are what it does beside the rings.
//! - `scan`, `resume`: what ran already, and what an earlier daemon knew of it.
//! - `flow`: from events to findings.
//! - `outputs`, `keeper`, `unkept`: where findings go, and what did not get there.
//! - `clock`: a wall clock that is set.
//! - `notify`: what systemd is told.
//! - `say`: the daemon's own words.

mod calls;
mod clock;
pub(super) mod enter;
mod flow;
mod keeper;
mod notify;
mod outputs;
mod policy;
mod reload;
mod resume;
mod round;
mod say;
mod scan;
mod service;
mod single;
mod unkept;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::time::Instant;

use super::run::course::seen_by;
use super::run::options::WatchArgs;
use super::run::output::{self, Manner, OutputError};
use super::run::signals::Signals;
use super::run::source::may_load;
use super::run::tuning::{self, TuningError};
use super::{NO_PRIVILEGES, USAGE};
use crate::control::wire::Hook;
use crate::control::{Control, Limits as ClientLimits, Runs, SOCKET, Socket};
use crate::core::Core;
use crate::edge;
use crate::event::WatchSet;
use crate::health::Code;
use crate::kernel::{Sensor, SensorError, prepare};
use crate::sink::JOURNAL_SOCKET;
use crate::state::FOLDER;
use flow::Flow;
use keeper::Keeper;
use outputs::{Journal, OpenError, Outputs};
use policy::{Policy, PolicyError};
use resume::Earlier;
use round::Rounds;
use service::Service;
use single::{Single, SingleError};

/// Below the state folder: what waits for journald.
const SPILL: &str = "journal";

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

    /// Write metrics to this file every ten seconds, as Prometheus text
    #[arg(long, value_name = "FILE", env = "PKGWARDEN_METRICS")]
    metrics: Option<PathBuf>,

    /// Keep state in this folder
    #[arg(long, value_name = "DIR", default_value = FOLDER, hide = true)]
    state: PathBuf,

    /// Listen on this socket
    #[arg(long, value_name = "PATH", default_value = SOCKET, hide = true)]
    control: PathBuf,

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
    Output(#[from] OpenError),
    #[error(transparent)]
    Capture(#[from] OutputError),
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
    prepare();
    let policy = Policy::load(&args.watch)?;
    let _single = Single::lock(&args.state)?;
    let journal = Journal {
        socket: args.journal_socket.clone(),
        spill: args.state.join(SPILL),
    };
    let record = args.watch.record.as_deref();
    let record = record
        .map(|path| output::create(path, Manner::Private))
        .transpose()?;
    let names = enter::names();
    let mut config = tuning.config(policy.watch.clone());
    config.carrier = None;
    config.enter.clone_from(&names);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Some may hang for good, each on a file of watched code.
        .max_blocking_threads(24)
        .build()
        .map_err(DaemonError::Runtime)?;
    let ended = runtime.block_on(async {
        let signals = Signals::take().map_err(DaemonError::Runtime)?;
        let sensor = Sensor::start(&config)?;
        let hooks: Vec<Hook> = sensor.hooks().iter().map(Hook::from).collect();
        let start = seen_by(&hooks);
        let earlier = Earlier::read(&args.state, &start.host.boot_id);
        let keeper = Keeper::start(&args.state, policy.limits).map_err(DaemonError::Runtime)?;
        let outputs = Outputs::open(&policy.outputs, journal, keeper)?;
        let rules_sha256 = policy.rules.sha256().to_owned();
        let core = Core::sharing(policy.rules, policy.trust);
        let mut service = Service {
            args,
            flow: Flow::begin(core, outputs, record, start.clone()),
            sensor,
            control: None,
            runs: Runs::default(),
            rounds: Rounds::default(),
            names,
            hooks,
            start,
            since: outputs::now(),
            rules_sha256,
            adopted: Vec::new(),
            over_at: None,
            last_end: Instant::now(),
        };
        let earlier = earlier.unwrap_or_else(|trouble| {
            service.flow.failing(trouble.to_string());
            Earlier::default()
        });
        if let Err(cause) = edge::works() {
            service.flow.health(Code::ReadRefused, cause, None);
        }
        service.listen(policy.watch);
        Ok(service.run(signals, earlier).await?)
    });
    // A read of a watched file may still hang; it is not waited for.
    runtime.shutdown_background();
    ended
}

impl Service {
    /// Serves the control socket. Without it the daemon watches all the same.
    fn listen(&mut self, watch: WatchSet) {
        let offer = self.offer(watch);
        self.runs = Runs::new(Arc::clone(&offer));
        let control = Socket::bind(&self.args.control)
            .map_err(|error| error.to_string())
            .and_then(|socket| {
                if let Some(note) = socket.note() {
                    say::info(note);
                }
                Control::start(socket, offer, ClientLimits::default())
                    .map_err(|error| format!("the control socket can't be served: {error}"))
            });
        match control {
            Ok(control) => self.control = Some(control),
            Err(cause) => self.flow.failing(cause),
        }
    }
}
