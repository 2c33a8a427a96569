//! What is looked after every few seconds: the wall clock, the snapshot, the metrics file, and whether
//! the probes are still what was attached.

use std::path::Path;

use super::outputs::now;
use super::say;
use super::service::Service;
use crate::event::Body;
use crate::health::Code;
use crate::health::metrics::{StoreFigures, write_textfile};
use crate::kernel::SensorError;
use crate::state::{Member, OpenSession, Record, Snapshot};

/// Rounds between two snapshots of a host where nothing happens.
const QUIET: u32 = 6;
/// Rounds between two looks at the probes.
const PROBES: u32 = 3;

/// What the rounds remember.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    number: u32,
    /// Something was handled since the last snapshot.
    pub(super) news: bool,
    snapshot_at: u32,
    metrics_told: bool,
    writing: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

impl Service {
    pub(super) async fn look_after(&mut self) -> Result<(), SensorError> {
        self.rounds.number = self.rounds.number.wrapping_add(1);
        // Also where nothing happens: what an install left behind is told after a while.
        self.drain().await?;
        // An exit between the look at a process and its entry was seen by nobody.
        for process in std::mem::take(&mut self.adopted) {
            self.sensor.forget_if_ended(process)?;
        }
        self.tell_of_the_unkept();
        let since = self.rounds.number.wrapping_sub(self.rounds.snapshot_at);
        if self.rounds.news || since >= QUIET {
            let snapshot = self.snapshot();
            if self.flow.outputs.keeper.snapshot(snapshot) {
                self.rounds.news = false;
                self.rounds.snapshot_at = self.rounds.number;
            }
        }
        if self.rounds.number.is_multiple_of(PROBES) {
            self.look_at_the_probes();
        }
        if let Some(path) = self.args.metrics.clone() {
            self.write_metrics(&path).await;
        }
        Ok(())
    }

    /// Told when the store keeps again what it is given, the telling too.
    pub(super) fn tell_of_the_unkept(&mut self) {
        if let Some(gap) = self.flow.outputs.keeper.unkept_news() {
            let (cause, from) = (gap.sentence(), gap.from());
            self.flow.health(Code::RecordsLost, cause, Some(from));
        }
    }

    fn look_at_the_probes(&mut self) {
        let missing = self.sensor.missing();
        if !missing.is_empty() && !self.flow.core.is_tampered() {
            self.flow.own(Body::Tampered { missing });
        }
    }

    /// For a daemon that is started after this one.
    pub(super) fn snapshot(&self) -> Snapshot {
        let sessions = self.open_sessions().into_iter();
        let members = self.sensor.members().into_iter();
        Snapshot {
            boot_id: self.flow.host.boot_id.clone(),
            written_at: now(),
            members: members
                .map(|member| Member {
                    process: member.process,
                    root: member.root,
                    step: self.flow.core.step_of(member.process),
                })
                .collect(),
            sessions: sessions
                .filter_map(|entry| match entry.record {
                    Record::Session(report) => Some(OpenSession {
                        owner: entry.owner,
                        report: *report,
                    }),
                    _ => None,
                })
                .collect(),
            totals: self.sensor.counters().unwrap_or_default(),
        }
    }

    /// Prometheus text.
    pub(super) fn metrics(&mut self) -> String {
        let metrics = &mut self.flow.metrics;
        metrics.sessions_open(self.flow.core.open_count());
        metrics.lineage(self.sensor.members().len() as u64);
        metrics.outbox(self.flow.outputs.figures());
        let keeper = &self.flow.outputs.keeper;
        metrics.store(StoreFigures {
            bytes: keeper.bytes(),
            errors: keeper.errors(),
        });
        metrics.measure();
        metrics.render()
    }

    async fn write_metrics(&mut self, path: &Path) {
        if let Some(writing) = &mut self.rounds.writing {
            // A disk that hangs is not given more to do.
            if !writing.is_finished() {
                return;
            }
            let failed = writing.await.ok().and_then(Result::err);
            match failed {
                Some(error) if !self.rounds.metrics_told => {
                    self.rounds.metrics_told = true;
                    self.flow.failing(format!(
                        "the metrics can't be written to {}: {error}",
                        path.display()
                    ));
                }
                Some(_) => {}
                None if self.rounds.metrics_told => {
                    self.rounds.metrics_told = false;
                    say::info("the metrics are written again");
                }
                None => {}
            }
        }
        let (path, text) = (path.to_owned(), self.metrics());
        let write = move || write_textfile(&path, &text);
        self.rounds.writing = Some(tokio::task::spawn_blocking(write));
    }
}
