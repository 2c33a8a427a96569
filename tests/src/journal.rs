//! A journald of our own, in a mount namespace of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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

/// A running systemd-journald; stopped when dropped. Its /run is a fresh tmpfs that only commands
/// started through [`Journal::enter`] share.
#[derive(Debug)]
pub struct Journal {
    child: Child,
    machine: String,
    log: PathBuf,
}

impl Journal {
    /// Starts one and waits until it answers.
    pub fn start(scratch: &Scratch) -> Self {
        let log = scratch.out().join("journald.log");
        let script = "mount -t tmpfs tmpfs /run
            mkdir -p /run/systemd/journal /run/log/journal
            printf '[Journal]\\nStorage=volatile\\nReadKMsg=no\\nAudit=no\\nRateLimitIntervalSec=0\\n\
            ForwardToSyslog=no\\n' > /run/journald.conf
            mount --bind /run/journald.conf /etc/systemd/journald.conf";
        let line = crate::mounts::private(script);
        let child = Command::new(&line[0])
            .args(&line[1..])
            .arg(JOURNALD)
            .stdin(Stdio::null())
            .stdout(File::create(&log).unwrap())
            .stderr(File::options().append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let machine = fs::read_to_string("/etc/machine-id")
            .unwrap()
            .trim()
            .to_owned();
        let journal = Self {
            child,
            machine,
            log,
        };
        let until = Instant::now() + Duration::from_secs(15);
        while journal.entries().is_empty() {
            assert!(
                Instant::now() < until,
                "journald did not start: {}",
                fs::read_to_string(&journal.log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        journal
    }

    /// What to put before a command so that it logs here, with this working directory.
    pub fn enter(&self, directory: &Path) -> Vec<String> {
        vec![
            "nsenter".into(),
            format!("--mount=/proc/{}/ns/mnt", self.child.id()),
            format!("--wdns={}", directory.display()),
        ]
    }

    /// Everything logged so far, as `journalctl -o json` prints it.
    pub fn entries(&self) -> Vec<Value> {
        let enter = self.enter(Path::new("/"));
        let output = Command::new(&enter[0])
            .args(&enter[1..])
            .args(["journalctl", "--no-pager", "--quiet", "-o", "json", "-D"])
            .arg(format!("/run/log/journal/{}", self.machine))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).expect("journalctl prints JSON"))
            .collect()
    }

    /// One field of an entry, whole: `-o json` shows those over 4,096 bytes as null.
    pub fn whole_field(&self, cursor: &str, field: &str) -> String {
        let enter = self.enter(Path::new("/"));
        let output = Command::new(&enter[0])
            .args(&enter[1..])
            .args([
                "journalctl",
                "--no-pager",
                "--quiet",
                "--all",
                "-o",
                "json",
                "-D",
            ])
            .arg(format!("/run/log/journal/{}", self.machine))
            .arg(format!("--cursor={cursor}"))
            .args(["-n", "1", &format!("--output-fields={field}")])
            .output()
            .unwrap();
        let entry: Value = serde_json::from_slice(&output.stdout).expect("one entry");
        entry[field].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
