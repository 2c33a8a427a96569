//! What clients of the control socket ask of the loop.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use super::outputs::{now, session_owner};
use super::service::Service;
use crate::control::{Call, End, Found, Living, Offer, Status, Watcher};
use crate::event::Counters;
use crate::kernel::{Member, Sensor, SensorError};
use crate::state::{self, Entry, Query, Record};

/// Entries that are read ahead of a client.
const AHEAD: usize = 64;

impl Watcher for Sensor {
    fn add_carrier(&mut self, pid: u32) -> Result<bool, String> {
        Sensor::add_carrier(self, pid).map_err(|error| error.to_string())
    }

    fn remove_carrier(&mut self, pid: u32) {
        // It is only a set that is a little too large then.
        let _ = Sensor::remove_carrier(self, pid);
    }

    fn member(&mut self, pid: u32) -> Result<Option<Living>, String> {
        let member = Sensor::member(self, pid).map_err(|error| error.to_string())?;
        Ok(member.map(living))
    }

    fn counters(&mut self) -> Result<Counters, String> {
        Sensor::counters(self).map_err(|error| error.to_string())
    }
}

fn living(Member { process, root }: Member) -> Living {
    Living { process, root }
}

impl Service {
    /// What the daemon gives to runs.
    pub(super) fn offer(&self, watch: crate::event::WatchSet) -> Arc<Offer> {
        Arc::new(Offer {
            watch,
            hooks: self.hooks.clone(),
        })
    }

    /// Answers a call. Whoever asked may be gone: then nobody hears the answer.
    pub(super) async fn answer(&mut self, call: Call) -> Result<(), SensorError> {
        let Some(call) = self.runs.handle(call, &mut self.sensor) else {
            return Ok(());
        };
        let Some(call) = self.flow.outputs.followers.handle(call) else {
            return Ok(());
        };
        match call {
            Call::Drain(drain) => {
                self.drain().await?;
                self.runs.drained(drain);
            }
            Call::Stored(answer) => self.flow.outputs.keeper.when_written(answer),
            Call::Alive(answer) => {
                let members = self.sensor.members();
                let own = members.into_iter().map(living);
                // To a run that is part of a lineage its command is the root.
                let living: Vec<Living> = own
                    .flat_map(|own| {
                        let commands = self.runs.commands_of(own.process);
                        std::iter::once(own).chain(commands.map(move |root| Living { root, ..own }))
                    })
                    .collect();
                let _ = answer.send(Ok(Arc::new(living)));
            }
            Call::Query { query, answer } => {
                let _ = answer.send(Ok(self.query(query)));
            }
            Call::Status(answer) => {
                let _ = answer.send(Ok(self.status()));
            }
            Call::Metrics(answer) => {
                let _ = answer.send(Ok(self.metrics()));
            }
            Call::Begin(_) | Call::Watch { .. } | Call::End { .. } | Call::Follow { .. } => {}
        }
        Ok(())
    }

    fn query(&self, query: Query) -> Found {
        let open: Vec<Entry> = match query.sessions {
            true => self.open_sessions(),
            false => Vec::new(),
        };
        let open: Vec<Entry> = open
            .into_iter()
            .filter(|entry| query.wants(entry))
            .collect();
        let troubles = self.standing_troubles(query.since);
        Found {
            end: End {
                open_sessions: open.len() as u64,
                complete: troubles.is_empty(),
                troubles,
            },
            // Newest first.
            entries: Box::new(
                open.into_iter()
                    .rev()
                    .map(Ok)
                    .chain(Stored::new(&self.args.state, query)),
            ),
        }
    }

    /// Why something from then on may not be recorded, beside what health records of that time say:
    /// what was told once and still holds, and what could not be told yet.
    fn standing_troubles(&self, since: Option<i64>) -> Vec<String> {
        let mut troubles = Vec::new();
        if self.start.blind {
            troubles.extend(self.start.degraded.iter().cloned());
        }
        if self.flow.core.is_tampered() {
            troubles.push("parts of the sensor were removed from the kernel".to_owned());
        }
        if self.flow.edge.is_broken() {
            troubles.push("files of watched packages are not read at the moment".to_owned());
        }
        let untold = self.flow.core.untold_losses();
        if untold > 0 {
            troubles.push(format!("{untold} more events were lost a moment ago"));
        }
        let unkept = self.flow.outputs.keeper.unkept();
        troubles.extend(
            unkept
                .filter(|gap| gap.reaches(since))
                .map(|gap| gap.sentence()),
        );
        troubles
    }

    /// Install sessions that are not over, as they stand.
    pub(super) fn open_sessions(&self) -> Vec<Entry> {
        let reports = self.flow.core.open_sessions().into_iter();
        reports
            .map(|report| self.flow.outputs.whole(report))
            .map(|report| Entry {
                owner: session_owner(&report),
                at: now(),
                record: Record::Session(Box::new(report)),
            })
            .collect()
    }

    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since,
            hooks: self.start.hooks.clone(),
            degraded: self.start.degraded.clone(),
            rules_sha256: self.rules_sha256.clone(),
            runs: self.runs.len() as u64,
            open_sessions: self.flow.core.open_count(),
        }
    }
}

/// What the store has, read on the thread that asks for the first of it.
struct Stored {
    folder: PathBuf,
    query: Query,
    entries: Option<Receiver<Result<Entry, String>>>,
}

impl Stored {
    fn new(folder: &Path, query: Query) -> Self {
        Self {
            folder: folder.to_owned(),
            query,
            entries: None,
        }
    }

    fn read(&self) -> Receiver<Result<Entry, String>> {
        let (sender, receiver) = sync_channel(AHEAD);
        let failed = sender.clone();
        let (folder, query) = (self.folder.clone(), self.query.clone());
        let read = move || {
            // The reader hung up where nothing can be sent.
            let each = |entry| match sender.send(Ok(entry)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            let troubles = match state::scan(&folder, &query, each) {
                Ok(troubles) => troubles.iter().map(ToString::to_string).collect(),
                Err(error) => vec![error.to_string()],
            };
            for trouble in troubles {
                let _ = sender.send(Err(trouble));
            }
        };
        let thread = std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(read);
        if let Err(error) = thread {
            let _ = failed.try_send(Err(format!("the store can't be read: {error}")));
        }
        receiver
    }
}

impl Iterator for Stored {
    type Item = Result<Entry, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.entries.is_none() {
            self.entries = Some(self.read());
        }
        self.entries.as_ref()?.recv().ok()
    }
}
