//! Runs against a lineage set that is a table.

mod refusals;
mod shares;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::control::call::Peer;
use crate::control::outbox::{Outboxes, Piece};
use crate::control::wire::ReplyLine;
use crate::event::stage::Stage;
use crate::event::{Body, Count, Operations, WatchEntry, WatchKey, WatchSet};

/// Who is in the lineage set: a carrier, or a member.
#[derive(Default)]
struct Table {
    entries: HashMap<u32, Option<Living>>,
    counters: Counters,
}

impl Table {
    fn root(&mut self, process: ProcessKey) {
        let living = Living {
            process,
            root: process,
        };
        self.entries.insert(process.pid, Some(living));
    }

    fn count(&mut self, kind: &str, change: impl Fn(&mut Count)) {
        let kinds = &mut self.counters.kinds;
        let mut count = kinds.get(kind).copied().unwrap_or_default();
        change(&mut count);
        kinds.insert(kind.to_owned(), count);
    }
}

impl Watcher for Table {
    fn add_carrier(&mut self, pid: u32) -> Result<bool, Refusal> {
        let new = !self.entries.contains_key(&pid);
        if new {
            self.entries.insert(pid, None);
        }
        Ok(new)
    }

    fn remove_carrier(&mut self, pid: u32) {
        if self.entries.get(&pid) == Some(&None) {
            self.entries.remove(&pid);
        }
    }

    fn member(&mut self, pid: u32) -> Result<Option<Living>, Refusal> {
        Ok(self.entries.get(&pid).copied().flatten())
    }

    fn counters(&mut self) -> Result<Counters, Refusal> {
        Ok(self.counters.clone())
    }
}

struct Daemon {
    runs: Runs,
    table: Table,
    offer: Arc<Offer>,
    outboxes: Outboxes,
    clients: u64,
}

/// A run as it is at the other end.
struct Client {
    id: ClientId,
    lines: mpsc::UnboundedReceiver<Piece>,
}

impl Daemon {
    fn new() -> Self {
        let offer = Arc::new(Offer {
            watch: reading(".ssh"),
            hooks: Vec::new(),
        });
        Self {
            runs: Runs::new(Arc::clone(&offer)),
            table: Table::default(),
            offer,
            outboxes: Outboxes::default(),
            clients: 0,
        }
    }

    fn begin(&mut self, pid: u32, uid: u32) -> Result<Client, Refusal> {
        self.clients += 1;
        let client = ClientId(self.clients);
        let (outbox, lines) = self.outboxes.open(uid);
        let (answer, mut answered) = oneshot::channel();
        let begin = Call::Begin(Begin {
            client,
            peer: Peer { pid, uid },
            watch: reading(".ssh"),
            offer: Arc::clone(&self.offer),
            outbox,
            answer,
        });
        assert!(self.runs.handle(begin, &mut self.table).is_none());
        answered.try_recv().unwrap()?;
        Ok(Client { id: client, lines })
    }

    fn watch(&mut self, client: &Client, pid: u32) -> Result<ProcessKey, Refusal> {
        let (answer, mut answered) = oneshot::channel();
        let call = Call::Watch {
            client: client.id,
            pid,
            answer,
        };
        self.runs.handle(call, &mut self.table);
        answered.try_recv().unwrap()
    }

    /// A run with its command.
    fn run(&mut self, stage: &mut Stage, pid: u32, uid: u32) -> (Client, ProcessKey) {
        let client = self.begin(pid, uid).unwrap();
        let root = stage.lineage();
        self.table.root(root);
        assert_eq!(self.watch(&client, root.pid), Ok(root));
        (client, root)
    }

    fn end(&mut self, client: &Client) {
        let client = client.id;
        self.runs.handle(Call::End { client }, &mut self.table);
    }

    fn deliver(&mut self, events: &[Event]) {
        for event in events {
            for kind in share::kinds(&event.body) {
                self.table.count(kind, |count| {
                    count.generated += 1;
                    count.delivered += 1;
                    count.received += 1;
                });
            }
        }
        self.runs.deliver(events, &self.table.counters);
    }
}

impl Client {
    /// What came since the last look: events, and the last counters.
    fn read(&mut self) -> (Vec<Event>, Option<Counters>) {
        let mut events = Vec::new();
        let mut last = None;
        while let Ok(piece) = self.lines.try_recv() {
            for line in piece.bytes.split_inclusive(|&byte| byte == b'\n') {
                let event: Event = serde_json::from_slice(line).unwrap();
                match event.body {
                    Body::Counters(counters) => last = Some(counters),
                    _ => events.push(event),
                }
            }
        }
        (events, last)
    }
}

fn reading(name: &str) -> WatchSet {
    WatchSet {
        entries: vec![WatchEntry {
            key: WatchKey::Component(name.into()),
            operations: Operations::READ,
        }],
    }
}

/// The events of a stage from here on.
fn since(stage: &Stage, before: usize) -> &[Event] {
    &stage.events[before..]
}

fn sums_up(counters: &Counters) -> bool {
    let holds = |count: &Count| {
        count.generated == count.delivered + count.filtered + count.lost
            && count.received <= count.delivered
    };
    counters.kinds.values().all(holds)
}

/// A process reads a file.
fn read(stage: &mut Stage, process: ProcessKey, path: &str) {
    stage.open(process, path, Operations::READ, 0);
}
