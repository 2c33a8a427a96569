//! What systemd is told, by sd_notify(3). Without a supervisor nothing is told.

use std::time::Duration;

use sd_notify::NotifyState;

use super::say;

/// The supervisor, if there is one.
#[derive(Debug, Default)]
pub(super) struct Supervisor;

impl Supervisor {
    /// Watching has begun.
    pub(super) fn ready(status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Rules are being read anew; [`Self::ready`] ends it.
    pub(super) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// The end has begun.
    pub(super) fn stopping() {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    /// All is well.
    pub(super) fn alive() {
        tell(&[NotifyState::Watchdog]);
    }

    /// How often that is to be told: twice in the time after which the daemon counts as hung.
    pub(super) fn interval() -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|timeout| timeout / 2)
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        say::warn(&format!(
            "systemd can't be told how the daemon stands: {error}"
        ));
    }
}
