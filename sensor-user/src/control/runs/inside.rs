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
    pub(super) fn watch(&mut self, process: ProcessKey, client: ClientId) -> bool {
        let commands = self.members.entry(process).or_default();
        let new = !commands.contains(&(client, process)) && commands.len() < DEEPEST;
        if new {
            commands.push((client, process));
        }
        new
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
                self.members.insert(*child, commands);
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
