//! A daemon whose lineage set is a table and whose events are made up.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pkgwarden::alert::schema::Host;
use pkgwarden::control::{
    Call, Control, Followers, Found, Limits, Living, Offer, Runs, Socket, Status, Watcher,
};
use pkgwarden::edge::boottime;
use pkgwarden::event::{
    Actor, Body, Counters, Event, Exec, Open, Operations, Place, ProcessKey, WatchEntry, WatchKey,
    WatchSet,
};
use pkgwarden::health::{Code, Health};
use pkgwarden::state::{Entry, Query, Record};
use tokio::sync::mpsc;

pub(crate) const ONE: u32 = 65_533;
pub(crate) const OTHER: u32 = 65_534;

/// The lineage set: children of carriers are roots of their own.
#[derive(Default)]
struct Table {
    carriers: HashSet<u32>,
    watched: Vec<Living>,
}

impl Watcher for Table {
    fn add_carrier(&mut self, pid: u32) -> Result<bool, String> {
        Ok(self.carriers.insert(pid))
    }

    fn remove_carrier(&mut self, pid: u32) {
        self.carriers.remove(&pid);
    }

    fn member(&mut self, pid: u32) -> Result<Option<Living>, String> {
        let stat = procfs_start(pid).ok_or("it has ended")?;
        let process = ProcessKey { pid, start: stat };
        let living = Living {
            process,
            root: process,
        };
        self.watched.push(living);
        Ok(Some(living))
    }

    fn counters(&mut self) -> Result<Counters, String> {
        Ok(Counters::default())
    }
}

/// Field 22 of its stat, in nanoseconds.
fn procfs_start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    Some(ticks * (1_000_000_000 / u64::try_from(per_second).ok()?))
}

/// Runs until it is dropped.
pub(crate) struct Daemon {
    folder: tempfile::TempDir,
    stop: mpsc::UnboundedSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("control");
        let socket = Socket::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let watch = WatchSet {
            entries: vec![WatchEntry {
                key: WatchKey::Any,
                operations: Operations::all(),
            }],
        };
        let offer = Offer::new(watch, &[]);
        let control = Control::start(socket, Arc::clone(&offer), Limits::default()).unwrap();
        let (stop, stopped) = mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(serve(control, offer, stopped));
        });
        Self {
            folder,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    pub(crate) fn run(&self, uid: u32, report: &Path, script: &str) -> Child {
        crate::run(uid, &self.program(), &self.path(), report, script)
    }

    /// The program, where every user can start it; the checkout may be closed to others.
    pub(crate) fn program(&self) -> PathBuf {
        let path = self.folder.path().join("pkgwarden");
        if !path.exists() {
            let program = assert_cmd::cargo::cargo_bin("pkgwarden");
            if fs::hard_link(&program, &path).is_err() {
                fs::copy(&program, &path).unwrap();
            }
        }
        path
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        let _ = self.thread.take().unwrap().join();
    }
}

/// Gives each command, every 50 ms from when it runs until it has had four, an exec
/// of its own, an open by root's process in its tree, and everyone an exec of nobody's tree.
async fn serve(mut control: Control, offer: Arc<Offer>, mut stop: mpsc::UnboundedReceiver<()>) {
    let mut runs = Runs::new(offer);
    let mut followers = Followers::new(|_, _| true);
    let mut table = Table::default();
    let mut counters = Counters::default();
    let mut given = Vec::new();
    let mut beat = tokio::time::interval(Duration::from_millis(50));
    loop {
        tokio::select! {
            call = control.next() => {
                let Some(call) = call else { return };
                let Some(call) = runs.handle(call, &mut table) else { continue };
                match followers.handle(call) {
                    Some(Call::Drain(drain)) => {
                        runs.deliver(&[], &counters);
                        runs.drained(drain);
                    }
                    Some(Call::Stored(answer)) => drop(answer.send(Ok(()))),
                    Some(Call::Alive(answer)) => {
                        let alive = |living: &&Living| procfs_start(living.process.pid).is_some();
                        let alive = table.watched.iter().filter(alive).copied().collect();
                        drop(answer.send(Ok(Arc::new(alive))));
                    }
                    Some(Call::Query { query, answer }) => {
                        drop(answer.send(Ok(recorded(&query))));
                    }
                    Some(Call::Status(answer)) => drop(answer.send(Ok(Status::default()))),
                    Some(Call::Metrics(answer)) => drop(answer.send(Ok(String::new()))),
                    _ => {}
                }
            }
            _ = beat.tick() => {
                let mut events = Vec::new();
                for living in &table.watched {
                    let so_far = given.iter().filter(|root| **root == living.root).count();
                    let Some(uid) = owner(living.process.pid).filter(|_| so_far < 4) else { continue };
                    given.push(living.root);
                    events.push(exec(living.root, uid));
                    events.push(open(living.root, 0));
                    events.push(exec(ProcessKey { pid: 1, start: 1 }, uid));
                }
                for event in &events {
                    let kinds: &[&str] = match event.body {
                        Body::Exec { .. } => &["exec", "exec_detail"],
                        _ => &["open"],
                    };
                    for kind in kinds {
                        let mut count = counters.kinds.get(kind).copied().unwrap_or_default();
                        count.generated += 1;
                        count.delivered += 1;
                        count.received += 1;
                        counters.kinds.insert(*kind, count);
                    }
                }
                runs.deliver(&events, &counters);
            }
            _ = stop.recv() => {
                runs.stop(&mut table);
                control.stop();
                return;
            }
        }
    }
}

/// Whose command it is, once it runs.
fn owner(pid: u32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    // Before that it is not the command yet, and what it does is not counted.
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let begun = command.starts_with(b"/bin/sh");
    begun
        .then(|| fs::metadata(format!("/proc/{pid}")))?
        .ok()
        .map(|folder| folder.uid())
}

/// As the store does, but it forgets to look at the owner.
fn recorded(_: &Query) -> Found {
    let entry = |(owner, code)| Entry {
        owner,
        at: 1,
        record: Record::Health(Box::new(Health::new(
            Host {
                name: "build-7".to_owned(),
                id: String::new(),
                boot_id: String::new(),
            },
            "2026-01-01T00:00:00Z".to_owned(),
            code,
            "x".to_owned(),
            None,
        ))),
    };
    let entries = [0, ONE, OTHER, 1000].map(|owner| (owner, Code::OutputFailing));
    let entries = entries.into_iter().chain([(0, Code::EventsLost)]);
    let entries = entries.map(entry).map(Ok);
    Found {
        entries: Box::new(entries),
        end: Default::default(),
    }
}

fn actor(root: ProcessKey, uid: u32) -> Actor {
    Actor {
        process: root,
        tid: root.pid,
        uid,
        cgroup: 0,
        root,
    }
}

fn at(body: Body) -> Event {
    Event {
        time: boottime(),
        cpu: 0,
        sequence: 1,
        body,
    }
}

fn exec(root: ProcessKey, uid: u32) -> Event {
    at(Body::Exec {
        actor: actor(root, uid),
        exec: Box::new(Exec {
            executable: Place {
                path: "/usr/bin/true".into(),
                ..Place::default()
            },
            args: vec!["true".into()],
            mode: 0o100_755,
            ..Exec::default()
        }),
    })
}

fn open(root: ProcessKey, uid: u32) -> Event {
    at(Body::Open {
        actor: actor(root, uid),
        open: Box::new(Open {
            place: Place {
                path: "/root/.ssh/id_rsa".into(),
                ..Place::default()
            },
            operations: Operations::READ,
            ..Open::default()
        }),
    })
}
