//! Where a run's events come from: probes in this process, the daemon, or the privileged half behind
//! sudo.

use std::ffi::OsString;
use std::path::Path;

use nix::unistd::geteuid;

use super::remote::{Remote, RemoteError};
use super::wire::Hook;
use crate::event::{Counters, Event, ProcessKey};
use crate::kernel::{Sensor, SensorConfig, SensorError};

/// Events in order, and the accounting up to the last of them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    pub(crate) counters: Counters,
}

/// A working sensor.
pub(crate) enum Source {
    Here(Box<Sensor>, Vec<Hook>),
    Elsewhere(Box<Remote>),
}

/// Why nothing can be watched, or no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Sensor(#[from] SensorError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl Source {
    /// Starts probes where that is allowed; otherwise has the daemon watch that listens at `control`;
    /// otherwise the privileged half by sudo.
    pub(crate) async fn open(config: &SensorConfig, control: &Path) -> Result<Self, SourceError> {
        if may_load() {
            let sensor = Sensor::start(config)?;
            let hooks = sensor.hooks().iter().map(Hook::from).collect();
            return Ok(Source::Here(Box::new(sensor), hooks));
        }
        let remote = match Remote::daemon(control, config).await {
            Ok(remote) => remote,
            Err(daemon) => by_sudo(config, daemon).await?,
        };
        Ok(Source::Elsewhere(Box::new(remote)))
    }

    /// Puts a process into the lineage set.
    pub(crate) async fn watch(&mut self, pid: u32) -> Result<ProcessKey, SourceError> {
        match self {
            Source::Here(sensor, _) => Ok(sensor.watch(pid)?),
            Source::Elsewhere(remote) => Ok(remote.watch(pid).await?),
        }
    }

    /// The next events. Can be cancelled without losing any.
    pub(crate) async fn next(&mut self) -> Result<Batch, SourceError> {
        match self {
            Source::Here(sensor, _) => {
                let events = sensor.next().await?;
                let counters = sensor.counters()?;
                Ok(Batch { events, counters })
            }
            Source::Elsewhere(remote) => Ok(remote.next().await?),
        }
    }

    /// Everything that was generated before this call.
    pub(crate) async fn drain(&mut self) -> Result<Batch, SourceError> {
        match self {
            Source::Here(sensor, _) => {
                let events = sensor.drain()?;
                let counters = sensor.counters()?;
                Ok(Batch { events, counters })
            }
            Source::Elsewhere(remote) => Ok(remote.drain().await?),
        }
    }

    /// The members of the lineage set.
    pub(crate) async fn alive(&mut self) -> Result<Vec<ProcessKey>, SourceError> {
        match self {
            Source::Here(sensor, _) => Ok(sensor.alive()),
            Source::Elsewhere(remote) => Ok(remote.alive().await?),
        }
    }

    /// What feeds each event kind.
    pub(crate) fn hooks(&self) -> &[Hook] {
        match self {
            Source::Here(_, hooks) => hooks,
            Source::Elsewhere(remote) => remote.hooks(),
        }
    }
}

/// The last way. When it is none either, both are told.
async fn by_sudo(config: &SensorConfig, daemon: RemoteError) -> Result<Remote, RemoteError> {
    let program =
        std::env::current_exe().map_or_else(|_| OsString::from("pkgwarden"), OsString::from);
    let error = match Remote::sudo(&program, config).await {
        Ok(remote) => return Ok(remote),
        Err(error) => error,
    };
    let absent = matches!(&daemon, RemoteError::Daemon(error) if error.is_absent());
    Err(match error {
        // sudo let us, and there is no other half: it alone knows what is wrong.
        RemoteError::Refused { .. } if absent => error,
        RemoteError::Ended { why, .. } => RemoteError::NoWay {
            daemon: daemon.to_string(),
            sudo: why,
        },
        other => RemoteError::NoWay {
            daemon: daemon.to_string(),
            sudo: other.to_string(),
        },
    })
}

/// Root, or who was given the capabilities that loading and attaching need.
pub(crate) fn may_load() -> bool {
    const CAP_NET_ADMIN: u64 = 1 << 12;
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    const CAP_PERFMON: u64 = 1 << 38;
    const CAP_BPF: u64 = 1 << 39;
    let effective = procfs::process::Process::myself()
        .and_then(|me| me.status())
        .map_or(0, |status| status.capeff);
    let has = |capabilities| effective & capabilities == capabilities;
    geteuid().is_root() || has(CAP_SYS_ADMIN) || has(CAP_BPF | CAP_PERFMON | CAP_NET_ADMIN)
}
