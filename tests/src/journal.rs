//! A journald of our own, in a mount namespace of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::Scratch;

const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// Why it can't run here, if it can't.
pub fn available() -> Result<(), String> {
    if !Path::new(JOURNALD).exists() {
        return Err(format!("there is no {JOURNALD}"));
    }
    crate::require::programs(&["journalctl", "unshare", "nsenter"])
}

/// A systemd-journald in a mount namespace of its own; both end when dropped. Its /run is a fresh
/// tmpfs that only commands started through [`Journal::enter`] share.
#[derive(Debug)]
pub struct Journal {
    /// Keeps the namespace while journald is away.
    namespace: Child,
    journald: Option<Child>,
    machine: String,
    log: PathBuf,
}

impl Journal {
    /// Starts one without rate limits and waits until it answers.
    pub fn start(scratch: &Scratch) -> Self {
        Self::with(scratch, "RateLimitIntervalSec=0\nRateLimitBurst=0\n", None)
    }

    /// Starts one with these lines in its configuration, on a disk of this size if it is given
    /// (as `mount -o size=` takes it).
    pub fn with(scratch: &Scratch, lines: &str, disk: Option<&str>) -> Self {
        let log = scratch.out().join("journald.log");
        let disk = disk.map_or(String::new(), |size| {
            format!("mount -t tmpfs -o size={size} tmpfs /run/log/journal")
        });
        let script = format!(
            "mount -t tmpfs tmpfs /run
            mkdir -p /run/systemd/journal /run/log/journal
            {disk}
            printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\nForwardToSyslog=no\\n%b' \
                '{}' > /run/journald.conf
            mount --bind /run/journald.conf /etc/systemd/journald.conf",
            lines.escape_default()
        );
        let line = crate::mounts::private(&script);
        let namespace = Command::new(&line[0])
            .args(&line[1..])
            .args(["sleep", "infinity"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let machine = fs::read_to_string("/etc/machine-id").unwrap();
        let mut journal = Self {
            namespace,
            journald: None,
            machine: machine.trim().to_owned(),
            log,
        };
        let command = format!("/proc/{}/comm", journal.namespace.id());
        journal.wait("the namespace is not made", |_| {
            fs::read_to_string(&command).is_ok_and(|name| name == "sleep\n")
        });
        journal.start_again();
        journal
    }

    /// Starts it in its namespace, where it is stopped, and waits until it answers.
    pub fn start_again(&mut self) {
        assert!(self.journald.is_none(), "it runs");
        let entries = self.entries().len();
        let enter = self.enter(Path::new("/"));
        let log = || File::options().append(true).open(&self.log).unwrap();
        let journald = Command::new(&enter[0])
            .args(&enter[1..])
            .arg(JOURNALD)
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .unwrap();
        self.journald = Some(journald);
        // It says that it has started, in an entry of its own.
        self.wait("journald did not start", |journal| {
            journal.entries().len() > entries
        });
    }

    fn wait(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let until = Instant::now() + Duration::from_secs(15);
        while !done(self) {
            assert!(
                Instant::now() < until,
                "{what}: {}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its socket, as the test sees it.
    pub fn socket(&self) -> PathBuf {
        self.path("/run/systemd/journal/socket")
    }

    /// A path of its namespace, as the test sees it.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.namespace.id()))
    }

    /// Stops it as systemd does; what it has accepted it writes before.
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.journald.take().map(|mut journald| journald.wait());
        assert!(status.is_some_and(|status| status.is_ok()));
    }

    /// Sends journald a signal: SIGSTOP freezes it, SIGCONT lets it go on.
    pub fn signal(&self, signal: Signal) {
        let journald = self.journald.as_ref().expect("it runs");
        kill(Pid::from_raw(journald.id() as i32), signal).unwrap();
    }

    /// What to put before a command so that it logs here, with this working directory.
    pub fn enter(&self, directory: &Path) -> Vec<String> {
        vec![
            "nsenter".into(),
            format!("--mount=/proc/{}/ns/mnt", self.namespace.id()),
            format!("--wdns={}", directory.display()),
        ]
    }

    /// Everything logged so far, as `journalctl -o json` prints it.
    pub fn entries(&self) -> Vec<Value> {
        self.journalctl(&["-o", "json"])
            .lines()
            .map(|line| serde_json::from_str(line).expect("journalctl prints JSON"))
            .collect()
    }

    /// What journalctl prints with these options.
    pub fn journalctl(&self, options: &[&str]) -> String {
        let folder = format!("/run/log/journal/{}", self.machine);
        let mut line = vec!["journalctl", "--no-pager", "--quiet", "-D", &folder];
        line.extend(options);
        self.inside(&line)
    }

    /// What a command prints that sees journald's own /run.
    pub fn inside(&self, command: &[&str]) -> String {
        let enter = self.enter(Path::new("/"));
        let output = Command::new(&enter[0])
            .args(&enter[1..])
            .args(command)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// One field of an entry, whole: `-o json` shows those over 4,096 bytes as null.
    pub fn whole_field(&self, cursor: &str, field: &str) -> String {
        let cursor = format!("--cursor={cursor}");
        let fields = format!("--output-fields={field}");
        let options = ["--all", "-o", "json", &cursor, "-n", "1", &fields];
        let entry: Value = serde_json::from_str(&self.journalctl(&options)).expect("one entry");
        entry[field].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        for child in self.journald.iter_mut().chain([&mut self.namespace]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
