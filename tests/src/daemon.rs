//! A daemon of the test's own: it watches the whole host, beside whatever else runs there, so a test
//! looks for what bears its own names.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::{Alert, Scratch, pkgwarden};

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that says how it stands on a socket, as to systemd. Killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    notify: UnixDatagram,
    told: Vec<String>,
    out: PathBuf,
    started: Instant,
}

impl Daemon {
    /// Starts one and waits until it is READY. Its files lie in the scratch: a second one started there
    /// takes up where the first one was.
    pub fn start<A: AsRef<OsStr>>(scratch: &Scratch, options: impl IntoIterator<Item = A>) -> Self {
        Self::start_with(scratch, options, &[])
    }

    /// The same with more environment.
    pub fn start_with<A: AsRef<OsStr>>(
        scratch: &Scratch,
        options: impl IntoIterator<Item = A>,
        environment: &[(&str, &str)],
    ) -> Self {
        let out = scratch.out();
        let socket = out.join("notify");
        let _ = fs::remove_file(&socket);
        let notify = UnixDatagram::bind(&socket).unwrap();
        let child = Command::new(pkgwarden())
            .args(Self::line(scratch))
            .args(options)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("NOTIFY_SOCKET", &socket)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(
                File::options()
                    .create(true)
                    .append(true)
                    .open(out.join("stderr"))
                    .unwrap(),
            )
            .spawn()
            .unwrap();
        let mut daemon = Self {
            child,
            notify,
            told: Vec::new(),
            out,
            started: Instant::now(),
        };
        daemon.is_told("READY=1");
        daemon
    }

    /// The command line of a daemon with its files in this scratch.
    pub fn line(scratch: &Scratch) -> Vec<OsString> {
        let out = scratch.out();
        let mut line: Vec<OsString> = vec!["daemon".into()];
        for (option, name) in [
            ("--state", "state"),
            ("--control", "control"),
            ("--alerts", "alerts.ndjson"),
            ("--metrics", "metrics.prom"),
            // Nobody listens there: a test must not write into the host's journal.
            ("--journal-socket", "no-journal"),
        ] {
            line.extend([option.into(), out.join(name).into_os_string()]);
        }
        line
    }

    /// How long ago it was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has told systemd this; everything it said in the message.
    pub fn is_told(&mut self, word: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.told.iter().position(|told| told.contains(word)) {
                return self.told.remove(at);
            }
            assert!(
                Instant::now() < until,
                "never told {word}: {self:?}\n{}",
                self.stderr()
            );
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended ({status}) before it told {word}\n{}", self.stderr());
            }
            self.listen();
        }
    }

    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        self.notify
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        while let Ok(length) = self.notify.recv(&mut buffer) {
            self.told
                .push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.listen();
                return status;
            }
            assert!(Instant::now() < until, "does not end\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it as systemd does.
    pub fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
    }

    /// Its diagnostics, and those of earlier ones in this scratch.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.out.join("stderr")).unwrap_or_default()
    }

    /// The file of its alerts.
    pub fn alerts_file(&self) -> PathBuf {
        self.out.join("alerts.ndjson")
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.alerts_file()).unwrap_or_default();
        // The last line may be under way.
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).expect("a line of the alerts file is JSON"))
            .collect()
    }

    /// Alerts so far.
    pub fn alerts(&self) -> Vec<Alert> {
        let lines = self.lines().into_iter();
        lines
            .filter(|line| line["schema"] == "pkgwarden.alert/1")
            .map(Alert)
            .collect()
    }

    /// Health records so far, of one code.
    pub fn health(&self, code: &str) -> Vec<Value> {
        let lines = self.lines().into_iter();
        lines
            .filter(|line| line["schema"] == "pkgwarden.health/1" && line["code"] == code)
            .collect()
    }

    /// Waits for an alert that is so.
    pub fn alert(&self, what: &str, is_so: impl Fn(&Alert) -> bool) -> Alert {
        self.wait(what, || {
            self.alerts().into_iter().find(|alert| is_so(alert))
        })
    }

    /// Waits for a health record that is so.
    pub fn health_that(&self, code: &str, is_so: impl Fn(&str) -> bool) -> Value {
        let cause = |health: &Value| health["cause"].as_str().unwrap_or_default().to_owned();
        self.wait(code, || {
            let all = self.health(code).into_iter();
            all.into_iter().find(|health| is_so(&cause(health)))
        })
    }

    /// What is recorded of install sessions, as the store has it, oldest first.
    pub fn sessions(&self) -> Vec<Value> {
        records(&self.out.join("state"))
            .into_iter()
            .filter_map(|mut entry| {
                let session = entry["record"]["session"].take();
                (!session.is_null()).then_some(session)
            })
            .collect()
    }

    /// Waits for a session with this install id that is so.
    pub fn session(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.wait(&format!("the session {id}"), || {
            let sessions = self.sessions().into_iter();
            sessions
                .filter(|session| session["installs"][0]["id"] == id)
                .find(|session| is_so(session))
        })
    }

    /// Waits until this install session is in what the next daemon would read.
    pub fn has_noted(&self, id: &str) {
        self.wait("a snapshot", || {
            let snapshot = fs::read_to_string(self.out.join("state/open-sessions"));
            snapshot.is_ok_and(|text| text.contains(id)).then_some(())
        });
    }

    /// The members of the lineage set, as the last snapshot has them.
    pub fn members(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.out.join("state/open-sessions")).unwrap();
        let (_, json) = text.split_once(' ').unwrap();
        let snapshot: Value = serde_json::from_str(json).unwrap();
        let members = snapshot["members"].as_array().unwrap().iter();
        members
            .map(|member| member["pid"].as_u64().unwrap() as u32)
            .collect()
    }

    fn wait<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < until,
                "waited in vain for {what}\n{}\n{:#?}",
                self.stderr(),
                self.alerts()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The entries of the store, oldest first: each line is a checksum and JSON, the first says the format.
fn records(state: &Path) -> Vec<Value> {
    let mut segments: Vec<PathBuf> = fs::read_dir(state)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    segments.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("log-")
    });
    segments.sort();
    let mut records = Vec::new();
    for segment in segments {
        let text = fs::read_to_string(segment).unwrap_or_default();
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let lines = lines.filter_map(|line| line.split_once(' '));
        records.extend(
            lines
                .filter_map(|(_, json)| serde_json::from_str::<Value>(json).ok())
                .filter(|value| !value["record"].is_null()),
        );
    }
    records
}
