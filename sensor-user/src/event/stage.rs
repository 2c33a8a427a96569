//! Hand-made events for tests: processes that act one after the other, a millisecond apart.

use std::collections::BTreeMap;

use super::{
    Actor, Body, Event, Exec, Host, Open, Operations, Place, ProcessKey, Socket, Start, Text,
    Transport, UserName,
};

/// Makes events.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) events: Vec<Event>,
    /// The root of the watched tree.
    pub(crate) root: ProcessKey,
    time: u64,
    next_pid: u32,
    roots: BTreeMap<ProcessKey, ProcessKey>,
    parents: BTreeMap<ProcessKey, ProcessKey>,
}

impl Stage {
    /// A `run` of that command.
    pub(crate) fn new(command: &str) -> Self {
        let root = ProcessKey {
            pid: 1000,
            start: 1_000_000_000,
        };
        let mut stage = Self {
            events: Vec::new(),
            root,
            time: 1_000_000_000,
            next_pid: 1001,
            roots: BTreeMap::new(),
            parents: BTreeMap::new(),
        };
        stage.push(Body::Start(Box::new(Start {
            wall_offset: 1_700_000_000_000_000_000,
            host: Host {
                name: "build-7".into(),
                id: "0123456789abcdef0123456789abcdef".into(),
                boot_id: "11111111-2222-4333-8444-555555555555".into(),
                kernel: "6.12.0".into(),
            },
            version: "0.1.0".into(),
            command: command.split(' ').map(Text::from).collect(),
            working_directory: "/home/dev/app".into(),
            root: Some(root),
            hooks: vec!["exec: btf_tracepoint sched_process_exec".into()],
            users: vec![UserName {
                uid: 1000,
                name: "dev".into(),
            }],
            ..Start::default()
        })));
        stage
    }

    /// A daemon, which watches no command of its own.
    pub(crate) fn daemon() -> Self {
        let mut stage = Self::new("");
        if let Body::Start(start) = &mut stage.events[0].body {
            start.root = None;
            start.command.clear();
        }
        stage
    }

    /// A process that is the root of a lineage of its own.
    pub(crate) fn lineage(&mut self) -> ProcessKey {
        self.pass(1_000_000);
        let root = ProcessKey {
            pid: self.next_pid,
            start: self.time,
        };
        self.next_pid += 1;
        self.roots.insert(root, root);
        root
    }

    pub(crate) fn pass(&mut self, nanoseconds: u64) {
        self.time += nanoseconds;
    }

    pub(crate) fn push(&mut self, body: Body) {
        self.time += 1_000_000;
        self.events.push(Event {
            time: self.time,
            cpu: 0,
            sequence: self.events.len() as u64,
            body,
        });
    }

    pub(crate) fn actor(&self, process: ProcessKey) -> Actor {
        Actor {
            process,
            tid: process.pid,
            uid: 1000,
            cgroup: 77,
            root: self.roots.get(&process).copied().unwrap_or(self.root),
        }
    }

    pub(crate) fn fork(&mut self, parent: ProcessKey) -> ProcessKey {
        let child = ProcessKey {
            pid: self.next_pid,
            start: self.time,
        };
        self.next_pid += 1;
        self.parents.insert(child, parent);
        if let Some(root) = self.roots.get(&parent).copied() {
            self.roots.insert(child, root);
        }
        let actor = self.actor(parent);
        self.push(Body::Fork { actor, child });
        child
    }

    /// `environment` as `A=b`.
    pub(crate) fn exec(
        &mut self,
        process: ProcessKey,
        executable: &str,
        args: &[&str],
        directory: &str,
        environment: &[&str],
    ) {
        let parent = self.parents.get(&process).map_or(1, |parent| parent.pid);
        let exec = Exec {
            executable: place(executable),
            requested: executable.into(),
            args: args.iter().map(|&arg| arg.into()).collect(),
            environment: environment
                .iter()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
            working_directory: directory.into(),
            parent_pid: parent,
            mode: 0o100_755,
            directory_mode: 0o40_755,
            ..Exec::default()
        };
        let actor = self.actor(process);
        let exec = Box::new(exec);
        self.push(Body::Exec { actor, exec });
    }

    /// A child that starts a program.
    pub(crate) fn spawn(
        &mut self,
        parent: ProcessKey,
        executable: &str,
        args: &[&str],
        directory: &str,
        environment: &[&str],
    ) -> ProcessKey {
        let child = self.fork(parent);
        self.exec(child, executable, args, directory, environment);
        child
    }

    pub(crate) fn exit(&mut self, process: ProcessKey) {
        let actor = self.actor(process);
        self.push(Body::Exit { actor, status: 0 });
    }

    pub(crate) fn connect(&mut self, process: ProcessKey, ip: &str, port: u16, errno: i32) {
        let actor = self.actor(process);
        self.push(Body::Connect {
            actor,
            socket: Socket {
                transport: Transport::Tcp,
                ip: Some(ip.parse().expect("an address")),
                port,
                path: None,
                cookie: 1,
                netns: 0,
                observed: super::Observed::Kernel,
            },
        });
        self.push(Body::ConnectResult {
            actor,
            errno,
            cookie: 0,
        });
    }

    pub(crate) fn open(
        &mut self,
        process: ProcessKey,
        path: &str,
        operations: Operations,
        errno: i32,
    ) {
        let actor = self.actor(process);
        let made = operations.intersects(Operations::WRITE | Operations::CREATE) && errno == 0;
        let open = Box::new(Open {
            place: place(path),
            operations,
            flags: if made { 0o101 } else { 0 },
            mode: if errno == 0 { 0o100_644 } else { 0 },
            errno,
            inode: 0,
        });
        self.push(Body::Open { actor, open });
    }
}

pub(crate) fn place(path: &str) -> Place {
    Place {
        path: path.into(),
        ..Place::default()
    }
}
