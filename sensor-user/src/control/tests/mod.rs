//! The server over a real socket, before a loop whose sensor is a table.

mod answers;
mod floods;
mod runs;
mod socket_file;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::unistd::geteuid;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::call::Refusal;
use super::client::Client;
use super::line::{End, Word};
use super::*;
use crate::event::{Counters, Event, ProcessKey, WatchEntry, WatchKey, WatchSet};
use crate::health::{Code, Health};
use crate::state::{Entry, Record};

/// Every process is a member of the set, as the root of its own lineage, but carriers.
#[derive(Default)]
struct Everyone {
    carriers: HashMap<u32, ()>,
    watched: Vec<Living>,
}

impl Watcher for Everyone {
    fn add_carrier(&mut self, pid: u32) -> Result<bool, Refusal> {
        Ok(self.carriers.insert(pid, ()).is_none())
    }

    fn remove_carrier(&mut self, pid: u32) {
        self.carriers.remove(&pid);
    }

    fn member(&mut self, pid: u32) -> Result<Option<Living>, Refusal> {
        let process = procfs::process::Process::new(i32::try_from(pid).unwrap());
        let Ok(stat) = process.and_then(|process| process.stat()) else {
            return Ok(None);
        };
        let tick = 1_000_000_000 / procfs::ticks_per_second();
        let process = ProcessKey {
            pid,
            start: stat.starttime * tick,
        };
        let living = Living {
            process,
            root: process,
        };
        self.watched.push(living);
        Ok(Some(living))
    }

    fn counters(&mut self) -> Result<Counters, Refusal> {
        Ok(Counters::default())
    }
}

enum Happening {
    Events(Vec<Event>),
    Raised(Box<Entry>),
    /// The store's disk does not keep up from here on.
    SlowStore,
    Stop,
}

/// A daemon in all but the kernel.
struct Daemon {
    folder: TempDir,
    happenings: mpsc::UnboundedSender<Happening>,
    /// How often the loop could have read its rings.
    beats: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    fn start(limits: Limits) -> Self {
        // Not the folder of all temporary files: it is open to everyone.
        let folder = tempfile::tempdir().unwrap();
        let socket = Socket::bind(&folder.path().join("control")).unwrap();
        let watch = WatchSet {
            entries: vec![WatchEntry {
                key: WatchKey::Component(b".ssh".to_vec()),
                operations: crate::event::Operations::READ,
            }],
        };
        let offer = Arc::new(Offer {
            watch,
            hooks: Vec::new(),
        });
        let control = Control::start(socket, Arc::clone(&offer), limits).unwrap();
        let (happenings, happening) = mpsc::unbounded_channel();
        let beats = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&beats);
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(serve(control, offer, happening, &counted));
        });
        Self {
            folder,
            happenings,
            beats,
            thread: Some(thread),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    fn client(&self) -> Client {
        Client::connect_to(&self.path(), geteuid().as_raw()).unwrap()
    }

    fn raw(&self) -> Raw {
        Raw::connect(&self.path())
    }

    fn happens(&self, happening: Happening) {
        assert!(self.happenings.send(happening).is_ok());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.happenings.send(Happening::Stop);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

/// What the daemon's own loop does with calls.
async fn serve(
    mut control: Control,
    offer: Arc<Offer>,
    mut happening: mpsc::UnboundedReceiver<Happening>,
    beats: &AtomicU64,
) {
    let mut runs = Runs::new(offer);
    let mut followers = Followers::new(|query, _| query.alerts || query.health);
    let mut everyone = Everyone::default();
    let mut slow = false;
    loop {
        tokio::select! {
            biased;
            call = control.next() => {
                let Some(call) = call else { return };
                let Some(call) = runs.handle(call, &mut everyone) else { continue };
                let Some(call) = followers.handle(call) else { continue };
                answer(call, &mut runs, &everyone, slow);
            }
            happening = happening.recv() => match happening {
                Some(Happening::Events(events)) => runs.deliver(&events, &Counters::default()),
                Some(Happening::Raised(entry)) => followers.publish(&entry),
                Some(Happening::SlowStore) => slow = true,
                Some(Happening::Stop) | None => {
                    runs.stop(&mut everyone);
                    control.stop();
                    return;
                }
            },
            // As long as records are held back.
            () = tokio::time::sleep(Duration::from_millis(2)) => {
                beats.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn answer(call: Call, runs: &mut Runs, everyone: &Everyone, slow: bool) {
    match call {
        Call::Drain(drain) => {
            runs.deliver(&[], &Counters::default());
            runs.drained(drain);
        }
        Call::Stored(answer) => drop(answer.send(match slow {
            true => Err("it is not in the store yet".to_owned()),
            false => Ok(()),
        })),
        Call::Alive(answer) => drop(answer.send(Ok(Arc::new(everyone.watched.clone())))),
        Call::Query { query, answer } => {
            // As many as the query says, in the place of a level.
            let count = query.since.unwrap_or(3);
            let entries = (0..count).map(|at| match at {
                7 => Err("entry 7 can't be read".to_owned()),
                _ => Ok(entry(at)),
            });
            let end = End {
                open_sessions: runs.len() as u64,
                complete: true,
                troubles: Vec::new(),
            };
            let entries = Box::new(entries);
            drop(answer.send(Ok(Found { entries, end })));
        }
        Call::Status(answer) => drop(answer.send(Ok(Status {
            runs: runs.len() as u64,
            ..Status::default()
        }))),
        Call::Metrics(answer) => drop(answer.send(Ok("pkgwarden_up 1\n".to_owned()))),
        other => panic!("nobody answers {other:?}"),
    }
}

fn entry(at: i64) -> Entry {
    let health = Health::new(
        crate::alert::schema::Host {
            name: "build-7".to_owned(),
            id: String::new(),
            boot_id: String::new(),
        },
        "2026-01-01T00:00:00Z".to_owned(),
        Code::EventsLost,
        "x".repeat(1000),
        None,
    );
    Entry {
        owner: geteuid().as_raw(),
        at,
        record: Record::Health(Box::new(health)),
    }
}

/// A client that says what it likes.
struct Raw {
    stream: BufReader<UnixStream>,
}

impl Raw {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        for set in [UnixStream::set_read_timeout, UnixStream::set_write_timeout] {
            set(&stream, Some(Duration::from_secs(20))).unwrap();
        }
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn say(&mut self, text: &str) {
        self.send(format!("{text}\n").as_bytes());
    }

    /// The other side may have had enough already.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// The next line; nothing at the end.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(_) => line,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => String::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// The one sentence that it says before it hangs up.
    fn hear_refusal(&mut self) -> String {
        let line = self.hear();
        assert_eq!(self.hear(), "", "after {line}");
        if let Ok(Line::Word(Word::Error(sentence))) = Line::parse(line.as_bytes()) {
            return sentence;
        }
        let reply: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        match reply["reply"]["failed"]["message"].as_str() {
            Some(sentence) => sentence.to_owned(),
            None => panic!("no refusal: {line}"),
        }
    }
}
