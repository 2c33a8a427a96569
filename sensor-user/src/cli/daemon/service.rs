//! The daemon from its start to its end: one loop, which reads the rings, and does between two
//! batches whatever else there is to do.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::Signal;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::DaemonArgs;
use super::flow::Flow;
use super::notify::Supervisor;
use super::outputs::{News, now, rfc3339};
use super::resume::Earlier;
use super::round::Rounds;
use super::say;
use super::scan::{Found, Scan};
use crate::cli::run::signals::Signals;
use crate::cli::run::source::Batch;
use crate::control::wire::Hook;
use crate::control::{Call, Control, Runs};
use crate::edge::boottime;
use crate::event::{Body, Event, ProcessKey, Start};
use crate::health::Code;
use crate::kernel::{Sensor, SensorError, give_back};
use crate::state::Record;

/// How often the small things are looked after.
const ROUND: Duration = Duration::from_secs(10);
/// After the end of a process it is looked whether an install session is over.
const OVER: Duration = Duration::from_millis(300);

/// A daemon that watches.
pub(super) struct Service {
    pub(super) args: DaemonArgs,
    pub(super) sensor: Sensor,
    pub(super) flow: Flow,
    pub(super) control: Option<Control>,
    pub(super) runs: Runs,
    pub(super) rounds: Rounds,
    pub(super) names: Vec<String>,
    pub(super) hooks: Vec<Hook>,
    pub(super) start: Start,
    /// CLOCK_REALTIME in nanoseconds.
    pub(super) since: i64,
    pub(super) rules_sha256: String,
    /// Processes that were put into the lineage set from here, until it is sure that the probes see
    /// their end.
    pub(super) adopted: Vec<ProcessKey>,
    /// When to look for sessions that are over.
    pub(super) over_at: Option<Instant>,
    /// The same for the process that ended last.
    pub(super) last_end: Instant,
}

impl Service {
    /// Finds what runs already, says READY, and watches until a signal ends it.
    pub(super) async fn run(
        mut self,
        mut signals: Signals,
        earlier: Earlier,
    ) -> Result<(), SensorError> {
        self.begin(earlier).await?;
        // What is done from here on is done for weeks.
        give_back();
        Supervisor::ready(&self.standing());
        let mut round = every(ROUND);
        let mut watchdog = Supervisor::interval().map(every);
        loop {
            let over = self.over_at;
            tokio::select! {
                biased;
                received = signals.next() => match received.signal {
                    Signal::SIGHUP => {
                        // What happened before is asked of the old rules.
                        self.drain().await?;
                        self.reload();
                    }
                    signal => {
                        say::info(&format!("{signal}: what happened so far is handled, then this ends"));
                        break;
                    }
                },
                () = tick(&mut watchdog) => {
                    // Only a loop that reads its rings empty is alive.
                    self.drain().await?;
                    Supervisor::alive();
                }
                _ = round.tick() => self.look_after().await?,
                () = until(over) => self.look_for_what_is_over()?,
                call = next(&mut self.control) => match call {
                    Some(call) => self.answer(call).await?,
                    None => {
                        self.control = None;
                        self.flow.failing("the control socket is not served any more".to_owned());
                    }
                },
                news = self.flow.outputs.next() => match news {
                    News::Journal => self.turn(),
                    News::File(error) => self.flow.failing(error.to_string()),
                    News::Store(said) if said.failing => self.flow.failing(said.text),
                    News::Store(said) => {
                        say::info(&said.text);
                        self.tell_of_the_unkept();
                    }
                },
                events = self.sensor.next() => {
                    let events = events?;
                    self.batch(events).await?;
                }
            }
        }
        self.stop().await
    }

    /// From the attached probes to a watch that knows what was there before.
    async fn begin(&mut self, mut earlier: Earlier) -> Result<(), SensorError> {
        if let Some(since) = earlier.since {
            self.tell_of_the_gap(since);
        }
        let running = self.sensor.running()?;
        let running: HashSet<ProcessKey> = running.iter().map(|running| running.process).collect();
        let (going, over) = earlier.part(&running);
        self.flow.outputs.earlier.clone_from(&going.reports);
        for session in over {
            self.flow
                .outputs
                .keep(session.owner, Record::Session(Box::new(session.report)));
        }
        for gone in &going.gone {
            self.flow.handle(vec![gone.found()]).await;
        }
        let scan = Scan {
            names: &self.names,
            earlier: &earlier.members,
            going: &going,
        };
        let found = scan.run(&mut self.sensor, &mut self.flow).await?;
        for gone in &going.gone {
            self.flow.handle(vec![gone.ended()]).await;
        }
        say::info(&sentence(&found));
        self.adopted = found.adopted;
        let snapshot = self.snapshot();
        self.flow.outputs.keeper.snapshot(snapshot);
        Ok(())
    }

    /// What an earlier daemon left can't be read: it may have been away since any time.
    pub(super) fn gap_of_unknown_length(&mut self, trouble: &str) {
        let cause = format!("for how long no daemon was running can't be told: {trouble}");
        let since = "1970-01-01T00:00:00Z".to_owned();
        self.flow.health(Code::DaemonGap, cause, Some(since));
    }

    fn tell_of_the_gap(&mut self, since: i64) {
        let (from, to) = (rfc3339(since), rfc3339(now()));
        let cause = format!(
            "no daemon was running from {from} to {to}: what was installed then was not watched"
        );
        self.flow.health(Code::DaemonGap, cause, Some(from));
    }

    async fn batch(&mut self, events: Vec<Event>) -> Result<(), SensorError> {
        let counters = self.sensor.counters()?;
        self.runs.deliver(&events, &counters);
        let ended = |event: &Event| matches!(event.body, Body::Exit { .. });
        if events.iter().any(ended) {
            let due = Instant::now() + OVER;
            self.last_end = due;
            self.over_at.get_or_insert(due);
        }
        self.rounds.news |= !events.is_empty();
        self.flow.batch(Batch { events, counters }).await;
        Ok(())
    }

    /// An accounting makes the core look for install sessions whose last process has ended.
    fn look_for_what_is_over(&mut self) -> Result<(), SensorError> {
        self.flow.count(boottime(), self.sensor.counters()?);
        // Where more ended since, the core may have looked just before.
        self.over_at = Some(self.last_end).filter(|due| *due > Instant::now());
        Ok(())
    }

    /// Handles everything that happened before this call.
    pub(super) async fn drain(&mut self) -> Result<(), SensorError> {
        let events = self.sensor.drain()?;
        self.batch(events).await
    }

    fn turn(&mut self) {
        for notice in self.flow.outputs.turn() {
            let health = notice.health(self.flow.host.clone(), Timestamp::now());
            self.flow.tell(&health);
        }
    }

    /// What happened before this call is handled; then everything is on its way out.
    async fn stop(mut self) -> Result<(), SensorError> {
        Supervisor::stopping();
        self.drain().await?;
        self.flow.read_the_rest().await;
        self.runs.stop(&mut self.sensor);
        let snapshot = self.snapshot();
        self.flow.end();
        if let Some(control) = self.control.take() {
            control.stop();
        }
        let (journald, missing) = self.flow.close().await;
        if missing > 0 {
            say::error(&format!(
                "{missing} records are missing in the file of alerts"
            ));
        }
        let lost: u64 = journald.dropped.values().sum();
        if lost > 0 {
            say::error(&format!(
                "{lost} records could not be sent to journald nor kept for it"
            ));
        }
        for said in self.flow.outputs.keeper.stop(snapshot).await {
            say::warn(&said.text);
        }
        say::info("stopped");
        Ok(())
    }

    /// For `systemctl status`.
    pub(super) fn standing(&self) -> String {
        let rules = self.flow.core.rules();
        let watched = self.sensor.members().len();
        format!("{rules} rules; {watched} processes were watched when this was said")
    }
}

fn sentence(found: &Found) -> String {
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

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn next(control: &mut Option<Control>) -> Option<Call> {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}
