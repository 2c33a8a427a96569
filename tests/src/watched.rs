//! One command under `pkgwarden run`, and everything that came of it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::{Alert, Capture, Scratch, Seen, pkgwarden};

/// A run about to start.
#[derive(Debug)]
pub struct Watched<'s> {
    scratch: &'s Scratch,
    binary: PathBuf,
    command: Vec<OsString>,
    before: Vec<OsString>,
    options: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
    record: bool,
    deadline: Duration,
}

impl<'s> Watched<'s> {
    /// `pkgwarden run -- COMMAND` in the scratch project.
    pub fn run<A: AsRef<OsStr>>(
        scratch: &'s Scratch,
        command: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            scratch,
            binary: pkgwarden(),
            command: owned(command),
            before: Vec::new(),
            options: Vec::new(),
            environment: scratch.environment(),
            directory: scratch.project(),
            record: true,
            deadline: Duration::from_secs(120),
        }
    }

    /// Puts a command before pkgwarden itself: see [`crate::mounts`].
    pub fn inside<A: AsRef<OsStr>>(mut self, before: impl IntoIterator<Item = A>) -> Self {
        let mut outer = owned(before);
        outer.append(&mut self.before);
        self.before = outer;
        self
    }

    /// Another copy of the program.
    pub fn binary(mut self, binary: PathBuf) -> Self {
        self.binary = binary;
        self
    }

    /// Options of `run`.
    pub fn options<A: AsRef<OsStr>>(mut self, options: impl IntoIterator<Item = A>) -> Self {
        self.options.extend(owned(options));
        self
    }

    /// `--fail-on LEVEL`.
    pub fn fail_on(self, level: &str) -> Self {
        self.options(["--fail-on", level])
    }

    /// `--min-level LEVEL`.
    pub fn min_level(self, level: &str) -> Self {
        self.options(["--min-level", level])
    }

    /// A variable of the environment of pkgwarden, which is that of the command.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.retain(|(known, _)| known != name.as_ref());
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// These variables and no other.
    pub fn only<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        environment: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let owned = environment.into_iter();
        self.environment = owned
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        self
    }

    /// Leaves a variable out.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Sizes and hooks, for tests only: `lineage_entries=64,detail_ring_bytes=4096`.
    pub fn tuning(self, settings: &str) -> Self {
        self.env("PKGWARDEN_TUNING", settings)
    }

    /// The working directory.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Without `--record`.
    pub fn unrecorded(mut self) -> Self {
        self.record = false;
        self
    }

    /// How long it may take; two minutes where not said.
    pub fn deadline(mut self, seconds: u64) -> Self {
        self.deadline = Duration::from_secs(seconds);
        self
    }

    /// Runs it to its end.
    pub fn finish(self) -> Seen {
        self.start().wait()
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let out = self.scratch.out();
        let files = Files {
            alerts: out.join("alerts.ndjson"),
            report: out.join("report.json"),
            capture: out.join("capture.ndjson"),
            stdout: out.join("stdout"),
            stderr: out.join("stderr"),
        };
        for file in [&files.alerts, &files.report, &files.capture] {
            let _ = fs::remove_file(file);
        }
        let mut line = self.before;
        line.push(self.binary.into());
        line.push("run".into());
        for (option, file) in [("--alerts", &files.alerts), ("--report", &files.report)] {
            line.extend([option.into(), file.into()]);
        }
        if self.record {
            line.extend(["--record".into(), (&files.capture).into()]);
        }
        line.extend(self.options);
        line.push("--".into());
        line.extend(self.command);
        let child = Command::new(&line[0])
            .args(&line[1..])
            .env_clear()
            .envs(self.environment)
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .stdout(File::create(&files.stdout).unwrap())
            .stderr(File::create(&files.stderr).unwrap())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", line[0]));
        Running {
            child,
            line,
            files,
            until: Instant::now() + self.deadline,
            ended: false,
        }
    }
}

fn owned<A: AsRef<OsStr>>(list: impl IntoIterator<Item = A>) -> Vec<OsString> {
    list.into_iter()
        .map(|arg| arg.as_ref().to_owned())
        .collect()
}

#[derive(Debug)]
struct Files {
    alerts: PathBuf,
    report: PathBuf,
    capture: PathBuf,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A run under way; its process group is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    line: Vec<OsString>,
    files: Files,
    until: Instant,
    ended: bool,
}

impl Running {
    /// Sends a signal to pkgwarden alone, as a CI runner does.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// The pid of what was started; pkgwarden itself unless something was put before it that
    /// does not exec.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// What it has written to the terminal's error stream so far.
    pub fn stderr(&self) -> String {
        lossy(&self.files.stderr)
    }

    /// What CMD has printed so far.
    pub fn stdout(&self) -> String {
        lossy(&self.files.stdout)
    }

    /// The alerts file as it is now.
    pub fn alerts(&self) -> String {
        lossy(&self.files.alerts)
    }

    /// Whether the report is on disk and whole.
    pub fn reported(&self) -> bool {
        fs::read(&self.files.report)
            .is_ok_and(|bytes| serde_json::from_slice::<Value>(&bytes).is_ok())
    }

    /// Waits until `condition` holds; panics at the run's deadline.
    pub fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            assert!(
                Instant::now() < self.until,
                "waited in vain until {what}\n{}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end and reads what it wrote.
    pub fn wait(mut self) -> Seen {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                Instant::now() < self.until,
                "still running at its deadline: {:?}\n{}",
                self.line,
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        self.ended = true;
        let mut seen = Seen {
            line: std::mem::take(&mut self.line),
            status,
            stdout: lossy(&self.files.stdout),
            stderr: lossy(&self.files.stderr),
            alerts: Vec::new(),
            health: Vec::new(),
            raw_alerts: fs::read(&self.files.alerts).unwrap_or_default(),
            report: fs::read(&self.files.report)
                .ok()
                .filter(|bytes| !bytes.is_empty())
                .map_or(Value::Null, |bytes| {
                    serde_json::from_slice(&bytes).expect("the report is JSON")
                }),
            capture: fs::read(&self.files.capture)
                .ok()
                .filter(|bytes| !bytes.is_empty())
                .map_or_else(Capture::default, |bytes| Capture::parse(&bytes)),
            capture_file: self.files.capture.clone(),
        };
        for line in String::from_utf8(seen.raw_alerts.clone())
            .expect("the alerts file is UTF-8")
            .lines()
        {
            let value: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error} in the alerts file: {line}"));
            match value["schema"].as_str() {
                Some("pkgwarden.alert/1") => seen.alerts.push(Alert(value)),
                Some("pkgwarden.health/1") => seen.health.push(value),
                other => panic!("schema {other:?} in the alerts file: {line}"),
            }
        }
        for alert in &seen.alerts {
            alert.keep_the_contract();
        }
        seen
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

fn lossy(file: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}
