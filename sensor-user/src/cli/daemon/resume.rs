//! What an earlier daemon left: the members of its lineage set, and sessions that had not
//! ended.
//!
//! A member that still lives goes back under its root. A session goes on under its id and states the
//! gap; one of which nothing lives is told as over.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::alert::report::Report;
use crate::alert::schema::ProcessShort;
use crate::edge::boottime;
use crate::event::{Actor, Body, Event, Exec, Place, ProcessKey, Text};
use crate::state::{Folder, Member, OpenSession, Snapshot, Trouble};

/// What to go on with.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// CLOCK_REALTIME in nanoseconds, from when on nobody watched; none if no daemon ran before.
    pub(super) since: Option<i64>,
    /// It ran since this boot: nothing of an earlier one lives.
    this_boot: bool,
    /// Members, with the roots of their lineages and steps.
    pub(super) members: HashMap<ProcessKey, Member>,
    sessions: Vec<OpenSession>,
}

impl Earlier {
    /// Reads what there is. A first start leaves nothing.
    pub(super) fn read(folder: &Path, boot_id: &str) -> Result<Self, Trouble> {
        let Ok(folder) = Folder::open(folder) else {
            return Ok(Self::default());
        };
        let Some(snapshot) = Snapshot::read(&folder)? else {
            return Ok(Self::default());
        };
        let this_boot = snapshot.boot_id == boot_id;
        let members = snapshot.members.iter().filter(|_| this_boot);
        Ok(Self {
            since: Some(snapshot.written_at),
            this_boot,
            members: members.map(|member| (member.process, *member)).collect(),
            sessions: snapshot.sessions,
        })
    }

    /// Parts the sessions: those of which something still runs, and those that are over.
    pub(super) fn part(&mut self, running: &HashSet<ProcessKey>) -> (Going, Vec<OpenSession>) {
        let mut going = Going::default();
        let mut over = Vec::new();
        for mut session in std::mem::take(&mut self.sessions) {
            let alive = |process: &ProcessShort| {
                let key = key(&process.entity_id)?;
                (self.this_boot && running.contains(&key)).then_some(key)
            };
            let alive: Vec<_> = session
                .report
                .still_running
                .iter()
                .filter_map(alive)
                .collect();
            if alive.is_empty() {
                end(&mut session.report);
                over.push(session);
            } else if let Some(install) = session.report.installs.first() {
                going
                    .reports
                    .insert(install.id.clone(), session.report.clone());
                going.add(&session, &alive, self);
            }
        }
        (going, over)
    }
}

fn end(report: &mut Report) {
    report.still_running.clear();
    report.completeness.complete = false;
    let sentence = "the sensor was not running throughout".to_owned();
    if !report.completeness.degraded.contains(&sentence) {
        report.completeness.degraded.push(sentence);
    }
}

/// Sessions that go on.
#[derive(Debug, Default)]
pub(super) struct Going {
    /// What was told of them so far, by the install's id.
    pub(super) reports: BTreeMap<String, Report>,
    /// Arguments of installers that live, as their exec had them: npm writes others over them.
    pub(super) commands: HashMap<ProcessKey, Vec<Text>>,
    /// Installers that have ended, of which something lives.
    pub(super) gone: Vec<Gone>,
}

fn command(report: &Report) -> Vec<Text> {
    let args = report.command.iter();
    args.filter_map(|arg| Text::unescape(arg).ok()).collect()
}

/// An installer that ended while nobody watched.
#[derive(Debug)]
pub(super) struct Gone {
    installer: ProcessKey,
    root: ProcessKey,
    step: Option<ProcessKey>,
    uid: u32,
    report: Report,
    /// Those that go on.
    pub(super) left: Vec<ProcessKey>,
}

impl Going {
    fn add(&mut self, session: &OpenSession, alive: &[ProcessKey], earlier: &Earlier) {
        let Some(install) = session.report.installs.first() else {
            return;
        };
        let Some(installer) = key(&install.id) else {
            return;
        };
        if alive.contains(&installer) {
            self.commands.insert(installer, command(&session.report));
            return;
        }
        let root = alive
            .iter()
            .find_map(|process| earlier.members.get(process));
        self.gone.push(Gone {
            installer,
            root: root.map_or(installer, |member| member.root),
            step: root.and_then(|member| member.step),
            uid: install.user.id,
            report: session.report.clone(),
            left: alive.to_vec(),
        });
    }

    /// The process that is to stand above one whose parent is not watched.
    pub(super) fn above(&self, process: ProcessKey) -> Option<ProcessKey> {
        let gone = self.gone.iter().find(|gone| gone.left.contains(&process))?;
        Some(gone.installer)
    }
}

impl Gone {
    /// The installer as it was, so that what it left behind is part of its session.
    pub(super) fn found(&self) -> Event {
        let args = command(&self.report);
        let install = self.report.installs.first();
        let directory = install.map_or("", |install| &install.working_directory);
        self.event(Body::Found {
            actor: self.actor(),
            exec: Box::new(Exec {
                executable: Place {
                    path: args.first().cloned().unwrap_or_default(),
                    truncated: true,
                    ..Place::default()
                },
                args,
                working_directory: directory.into(),
                // Its variables are not known any more.
                environment_truncated: true,
                ..Exec::default()
            }),
            parent: None,
            resumed: true,
            step: self.step,
        })
    }

    /// Its end.
    pub(super) fn ended(&self) -> Event {
        self.event(Body::Exit {
            actor: self.actor(),
            status: 0,
        })
    }

    fn actor(&self) -> Actor {
        Actor {
            process: self.installer,
            tid: self.installer.pid,
            uid: self.uid,
            cgroup: 0,
            root: self.root,
        }
    }

    fn event(&self, body: Body) -> Event {
        Event {
            time: boottime(),
            cpu: 0,
            sequence: 0,
            body,
        }
    }
}

/// The process behind an entity id: `<boot>-<pid>-<start>`.
fn key(entity_id: &str) -> Option<ProcessKey> {
    let mut parts = entity_id.rsplitn(3, '-');
    let start = parts.next()?.parse().ok()?;
    let pid = parts.next()?.parse().ok()?;
    parts.next().map(|_boot| ProcessKey { pid, start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    #[test]
    fn an_entity_id_leads_back_to_its_process() {
        let process = ProcessKey { pid: 7, start: 99 };
        assert_eq!(key("36fbbaa497ad45ed-7-99"), Some(process));
        assert_eq!(key("7-99"), None);
        assert_eq!(key("x"), None);
    }

    fn earlier(still_running: &[&str]) -> Earlier {
        let mut report = sample::report();
        report.installs[0].id = "b-10-1".to_owned();
        report.still_running = still_running
            .iter()
            .map(|&id| ProcessShort {
                entity_id: id.to_owned(),
                ..ProcessShort::default()
            })
            .collect();
        let process = |pid, start| ProcessKey { pid, start };
        let member = Member {
            process: process(11, 2),
            root: process(9, 1),
            step: Some(process(9, 2)),
        };
        Earlier {
            since: Some(1),
            this_boot: true,
            members: [(process(11, 2), member)].into(),
            sessions: vec![OpenSession {
                owner: 1000,
                report,
            }],
        }
    }

    #[test]
    fn a_session_of_which_nothing_lives_is_over_and_incomplete() {
        let (going, over) = earlier(&["b-10-1", "b-11-2"]).part(&HashSet::new());
        assert!(going.reports.is_empty() && going.gone.is_empty());
        assert!(!over[0].report.completeness.complete);
        assert!(over[0].report.still_running.is_empty());
    }

    #[test]
    fn what_an_installer_left_behind_is_put_under_it_again() {
        let left = ProcessKey { pid: 11, start: 2 };
        let (going, over) = earlier(&["b-10-1", "b-11-2"]).part(&[left].into());
        assert!(over.is_empty());
        assert_eq!(going.above(left), Some(ProcessKey { pid: 10, start: 1 }));
        let Body::Found {
            actor,
            resumed,
            step,
            ..
        } = going.gone[0].found().body
        else {
            panic!("an installer is found");
        };
        assert_eq!((actor.root.pid, resumed), (9, true));
        assert_eq!(step, Some(ProcessKey { pid: 9, start: 2 }));
    }

    #[test]
    fn a_later_process_with_the_pid_of_a_member_is_not_taken_for_it() {
        let later = ProcessKey { pid: 11, start: 3 };
        let (going, over) = earlier(&["b-11-2"]).part(&[later].into());
        assert!(going.reports.is_empty());
        assert_eq!(over.len(), 1);
    }
}
