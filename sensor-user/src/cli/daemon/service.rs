//! The daemon from its start to its end: one loop, which reads the rings, and does between two
//! batches whatever else there is to do.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::DaemonArgs;
use super::flow::Flow;
use super::notify::Supervisor;
use super::policy::Policy;
use super::say;
use super::scan::{Found, Scan};
use crate::cli::run::signals::Signals;
use crate::cli::run::source::Batch;
use crate::event::ProcessKey;
use crate::health::Code;
use crate::kernel::{Sensor, SensorError};

/// How often the small things are looked after.
const ROUND: Duration = Duration::from_secs(10);

/// A daemon that watches.
pub(super) struct Service {
    pub(super) args: DaemonArgs,
    pub(super) sensor: Sensor,
    pub(super) flow: Flow,
    pub(super) names: Vec<String>,
    /// Processes that were put into the lineage set from here, until it is sure that the probes see
    /// their end.
    pub(super) adopted: Vec<ProcessKey>,
}

impl Service {
    /// Finds what runs already, says READY, and watches until a signal ends it.
    pub(super) async fn run(mut self, mut signals: Signals) -> Result<(), SensorError> {
        let scan = Scan {
            names: &self.names,
            earlier: std::collections::HashMap::new(),
        };
        let found = scan.run(&mut self.sensor, &mut self.flow).await?;
        say::info(&ready_sentence(&found));
        self.adopted = found.adopted;
        Supervisor::ready(&self.status());

        let mut round = every(ROUND);
        let mut watchdog = Supervisor::interval().map(every);
        loop {
            tokio::select! {
                biased;
                received = signals.next() => match received.signal {
                    Signal::SIGHUP => self.reload(),
                    signal => {
                        say::info(&format!("{} came: what is under way is handled, then this ends", signal.as_str()));
                        break;
                    }
                },
                () = tick(&mut watchdog) => {
                    // Only a loop that reads its rings empty is alive.
                    let batch = self.drain()?;
                    self.flow.batch(batch).await;
                    Supervisor::alive();
                }
                _ = round.tick() => self.look_after()?,
                events = self.sensor.next() => {
                    let events = events?;
                    let counters = self.sensor.counters()?;
                    self.flow.batch(Batch { events, counters }).await;
                }
            }
        }
        self.stop().await
    }

    fn drain(&mut self) -> Result<Batch, SensorError> {
        let events = self.sensor.drain()?;
        let counters = self.sensor.counters()?;
        Ok(Batch { events, counters })
    }

    /// What happened before this call is handled; then everything is on its way out.
    async fn stop(mut self) -> Result<(), SensorError> {
        Supervisor::stopping();
        let batch = self.drain()?;
        self.flow.batch(batch).await;
        self.flow.end();
        Ok(())
    }

    fn look_after(&mut self) -> Result<(), SensorError> {
        self.flow.look_at_the_clock();
        // An exit between the look at a process and its entry was seen by nobody.
        for process in std::mem::take(&mut self.adopted) {
            self.sensor.forget_if_ended(process)?;
        }
        Ok(())
    }

    /// Rules and configuration anew: all of it, or nothing.
    fn reload(&mut self) {
        Supervisor::reloading();
        match self.try_reload() {
            Ok(rules) => say::info(&format!("reloaded: {rules} rules")),
            Err(Rejected { short, full }) => {
                say::error(&format!(
                    "the new rules or configuration are refused, the old ones stay:\n{full}"
                ));
                self.flow.health(Code::RulesRejected, short, None);
            }
        }
        Supervisor::ready(&self.status());
    }

    fn try_reload(&mut self) -> Result<usize, Rejected> {
        let policy = Policy::load(&self.args.watch).map_err(|error| Rejected {
            short: error.short(),
            full: error.to_string(),
        })?;
        let outputs =
            self.flow
                .outputs
                .renew(policy.min_level, policy.alerts.as_deref(), policy.journald);
        if let Err(error) = outputs {
            // Rules are no worse for a log that can't be opened.
            self.flow
                .health(Code::OutputFailing, error.to_string(), None);
        }
        // What the new rules ask for is reported before they ask.
        self.sensor.renew(&policy.watch).map_err(|error| Rejected {
            short: error.to_string(),
            full: error.to_string(),
        })?;
        let rules = policy.rules.rules().len();
        self.flow.core.renew(policy.rules, policy.trust);
        Ok(rules)
    }

    /// For `systemctl status`.
    fn status(&self) -> String {
        format!(
            "watching, {} processes in the lineage set",
            self.sensor.members().len()
        )
    }
}

/// Why a reload changed nothing.
struct Rejected {
    /// For the health record.
    short: String,
    /// For the diagnostics.
    full: String,
}

fn ready_sentence(found: &Found) -> String {
    let Found { adopted, resumed } = found;
    match (adopted.len(), resumed) {
        (0, _) => "watching".to_owned(),
        (all, 0) => format!("watching; {all} processes ran already and are watched from now on"),
        (all, resumed) => format!(
            "watching; {all} processes ran already, {resumed} of them were watched by an earlier daemon"
        ),
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
