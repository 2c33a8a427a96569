//! Runs that are themselves part of a watched lineage: whose processes are whose. The kernel names the
//! lineage's root on their events, so what descends from a command is followed here, by its forks. One
//! that is lost is counted, and marks the run incomplete like any loss.

use std::collections::HashMap;

use crate::control::call::ClientId;
use crate::event::{Body, Event, ProcessKey};

/// Runs may stand in each other: not deeper than this.
const DEEPEST: usize = 8;

/// The processes of all such runs.
#[derive(Debug, Default)]
pub(super) struct Inside {
    /// Whose each is, and below which commands.
    members: HashMap<ProcessKey, Vec<(ClientId, ProcessKey)>>,
}

impl Inside {
    /// A command of a run. Whether it is new.
    pub(super) fn watch(&mut self, process: ProcessKey, client: ClientId) -> Result<bool, String> {
        let commands = self.members.entry(process).or_default();
        if commands.contains(&(client, process)) {
            return Ok(false);
        }
        if commands.len() >= DEEPEST {
            return Err(format!(
                "{DEEPEST} runs stand in each other already: a run inside of them is not watched"
            ));
        }
        commands.push((client, process));
        Ok(true)
    }

    /// Whose command a process is.
    pub(super) fn owner(&self, process: ProcessKey) -> Option<ClientId> {
        let commands = self.members.get(&process)?;
        let own = commands.iter().find(|(_, command)| *command == process);
        own.map(|(client, _)| *client)
    }

    /// The commands that a process is, or descends from.
    pub(super) fn commands(&self, process: ProcessKey) -> impl Iterator<Item = ProcessKey> {
        let commands = self.members.get(&process).into_iter().flatten();
        commands.map(|(_, command)| *command)
    }

    /// What each run gets of an event: it has the run's command for its root.
    pub(super) fn shares(&mut self, event: &Event) -> Vec<(ClientId, Event)> {
        let Some(actor) = event.body.actor() else {
            return Vec::new();
        };
        let Some(commands) = self.members.get(&actor.process) else {
            return Vec::new();
        };
        let shares = commands.iter().map(|(client, command)| {
            let mut share = event.clone();
            if let Some(actor) = share.body.actor_mut() {
                actor.root = *command;
            }
            (*client, share)
        });
        let shares = shares.collect();
        match &event.body {
            Body::Fork { child, .. } => {
                let commands = commands.clone();
                // It may be a command itself, told before its fork was read.
                let known = self.members.entry(*child).or_default();
                for command in commands {
                    if !known.contains(&command) {
                        known.push(command);
                    }
                }
            }
            Body::Exit { actor, .. } => {
                self.members.remove(&actor.process);
            }
            _ => {}
        }
        shares
    }

    /// A run is over.
    pub(super) fn end(&mut self, client: ClientId) {
        self.members.retain(|_, commands| {
            commands.retain(|(owner, _)| *owner != client);
            !commands.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Actor;

    fn process(pid: u32) -> ProcessKey {
        ProcessKey { pid, start: 1 }
    }

    fn fork(parent: u32, child: u32) -> Event {
        let actor = Actor {
            process: process(parent),
            tid: parent,
            uid: 0,
            cgroup: 0,
            root: process(1),
        };
        let child = process(child);
        Event {
            time: 1,
            cpu: 0,
            sequence: 0,
            body: Body::Fork { actor, child },
        }
    }

    #[test]
    fn a_command_whose_fork_is_read_late_is_its_own_runs_and_the_outer_ones() {
        let mut inside = Inside::default();
        inside.watch(process(10), ClientId(1)).unwrap();
        inside.shares(&fork(10, 11));
        // The inner run's own process is 11; its command is told before its fork is read.
        assert!(inside.watch(process(12), ClientId(2)).unwrap());
        inside.shares(&fork(11, 12));
        let shares = inside.shares(&fork(12, 13));
        let whose: Vec<_> = shares.iter().map(|(client, _)| *client).collect();
        assert_eq!(whose, [ClientId(2), ClientId(1)]);
        assert_eq!(inside.owner(process(12)), Some(ClientId(2)));
    }

    #[test]
    fn deeper_than_can_be_followed_is_refused_and_not_left_out() {
        let mut inside = Inside::default();
        for client in 0..DEEPEST as u64 {
            inside.watch(process(10), ClientId(client)).unwrap();
        }
        assert!(inside.watch(process(10), ClientId(99)).is_err());
    }
}
