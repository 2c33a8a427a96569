//! Processes that run already when the daemon starts: put into the lineage set, and told to the core.
//!
//! The probes are attached first, so whoever is made or starts a program from then on is seen by them.
//! What was there before is looked for until there is nothing new: a child made between a look at its
//! parent and the parent's entry shows in the next one.

use std::collections::{HashMap, HashSet};

use super::flow::Flow;
use super::resume::Going;
use crate::edge::{boottime, executable_name};
use crate::event::{Actor, Body, Event, Exec, Place, ProcessKey, Text};
use crate::kernel::{Member, Running, Sensor, SensorError};
use crate::state::Member as Earlier;

/// Looks at all processes; more only for a host that makes them faster than they can be counted.
const LOOKS: usize = 8;

/// Whom to look for.
pub(super) struct Scan<'a> {
    /// Names of executables that begin a lineage.
    pub(super) names: &'a [String],
    /// Members of the lineage set of an earlier daemon.
    pub(super) earlier: &'a HashMap<ProcessKey, Earlier>,
    /// Sessions that go on.
    pub(super) going: &'a Going,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Those that were put into the set.
    pub(super) adopted: Vec<ProcessKey>,
    /// How many of them an earlier daemon had watched.
    pub(super) resumed: usize,
}

impl Scan<'_> {
    /// Finds them all.
    pub(super) async fn run(
        &self,
        sensor: &mut Sensor,
        flow: &mut Flow,
    ) -> Result<Found, SensorError> {
        let mut found = Found::default();
        let names: HashSet<&[u8]> = self.names.iter().map(String::as_bytes).collect();
        for _ in 0..LOOKS {
            let before = found.adopted.len();
            let mut roots: HashMap<ProcessKey, ProcessKey> = sensor
                .members()
                .into_iter()
                .map(|Member { process, root }| (process, root))
                .collect();
            let mut running = sensor.running()?;
            // A parent is older than its children.
            running.sort_by_key(|running| running.process.start);
            for Running { process, parent } in running {
                if roots.contains_key(&process) || process.pid == std::process::id() {
                    continue;
                }
                let earlier = self.earlier.get(&process).copied();
                let inherited = roots.get(&parent).copied();
                let enters = || {
                    let name = executable_name(process)?;
                    names
                        .contains(&name[..name.len().min(32)])
                        .then_some(process)
                };
                let before = earlier.map(|earlier| earlier.root);
                let Some(root) = before.or(inherited).or_else(enters) else {
                    continue;
                };
                let time = boottime();
                if !sensor.adopt(process, root)? {
                    continue;
                }
                roots.insert(process, root);
                found.adopted.push(process);
                found.resumed += usize::from(earlier.is_some());
                let told = Told {
                    process,
                    root,
                    parent_pid: parent.pid,
                    parent: match roots.contains_key(&parent) {
                        true => Some(parent),
                        false => self.going.above(process),
                    },
                    resumed: earlier.is_some(),
                    step: earlier.and_then(|earlier| earlier.step),
                    args: self.going.commands.get(&process).cloned(),
                };
                flow.found(&told, time).await;
            }
            if found.adopted.len() == before {
                break;
            }
        }
        Ok(found)
    }
}

/// A process that was put into the set.
pub(super) struct Told {
    process: ProcessKey,
    root: ProcessKey,
    parent_pid: u32,
    /// Where it is placed.
    parent: Option<ProcessKey>,
    resumed: bool,
    step: Option<ProcessKey>,
    /// What an earlier daemon saw it started with.
    args: Option<Vec<Text>>,
}

impl Flow {
    /// Looks at the process, and tells the core of it.
    async fn found(&mut self, told: &Told, time: u64) {
        let look = self.edge.look(told.process, told.parent_pid).await;
        let (mut exec, uid, cgroup) = match look {
            Some(look) => (look.exec, look.uid, look.cgroup),
            // It ended meanwhile, or keeps us from reading.
            None => (nameless(told), 0, 0),
        };
        if let Some(args) = &told.args {
            exec.args.clone_from(args);
            exec.args_truncated = false;
        }
        let event = Event {
            time,
            cpu: 0,
            sequence: 0,
            body: Body::Found {
                actor: Actor {
                    process: told.process,
                    tid: told.process.pid,
                    uid,
                    cgroup,
                    root: told.root,
                },
                exec: Box::new(exec),
                parent: told.parent,
                resumed: told.resumed,
                step: told.step,
            },
        };
        self.handle(vec![event]).await;
    }
}

fn nameless(told: &Told) -> Exec {
    let name = executable_name(told.process).unwrap_or_default();
    Exec {
        executable: Place {
            path: name.into(),
            truncated: true,
            ..Place::default()
        },
        parent_pid: told.parent_pid,
        detail_lost: true,
        ..Exec::default()
    }
}
