//! What a run left, and questions about it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use serde_json::Value;

use crate::{Alert, Capture};

/// What a run left.
pub struct Seen {
    pub(crate) line: Vec<OsString>,
    /// pkgwarden's own.
    pub status: ExitStatus,
    /// CMD's output.
    pub stdout: String,
    /// CMD's and pkgwarden's messages.
    pub stderr: String,
    /// `pkgwarden.alert/1`, in the order raised.
    pub alerts: Vec<Alert>,
    /// `pkgwarden.health/1`.
    pub health: Vec<Value>,
    /// The alerts file.
    pub raw_alerts: Vec<u8>,
    /// `pkgwarden.session/1`; null where none was written.
    pub report: Value,
    /// Empty where none was written.
    pub capture: Capture,
    /// Where the capture lies.
    pub capture_file: PathBuf,
}

impl Seen {
    /// The exit status; 128+N where a signal ended pkgwarden itself.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| 1000 + self.status.signal().unwrap_or(0))
    }

    /// Panics unless it ended with this status.
    pub fn ended_with(&self, code: i32) -> &Self {
        assert_eq!(self.code(), code, "wrong exit status\n{self:?}");
        self
    }

    /// The alerts of a branch at or above a level.
    pub fn of<'a>(
        &'a self,
        branch: &str,
        level: &str,
    ) -> impl Iterator<Item = &'a Alert> + use<'a> {
        let rank = crate::level_rank(level);
        let branch = branch.to_owned();
        self.alerts
            .iter()
            .filter(move |alert| alert.branch() == branch && alert.rank() >= rank)
    }

    /// The first alert of a branch, at or above a level, that `fits`; panics if none does.
    pub fn alert(
        &self,
        branch: &str,
        level: &str,
        what: &str,
        fits: impl Fn(&Alert) -> bool,
    ) -> &Alert {
        self.of(branch, level)
            .find(|alert| fits(alert))
            .unwrap_or_else(|| panic!("no {branch} at {level} or above {what}\n{self:?}"))
    }

    /// Panics if anything was raised at medium or above; gives the number of alerts below.
    pub fn quiet(&self) -> usize {
        let loud: Vec<_> = self
            .alerts
            .iter()
            .filter(|alert| alert.rank() >= crate::level_rank("medium"))
            .collect();
        assert!(
            loud.is_empty(),
            "{} alerts on honest packages\n{self:?}",
            loud.len()
        );
        self.alerts.len()
    }

    /// Panics unless the report says that everything was seen, and its sums are right.
    pub fn complete(&self) -> &Self {
        self.sums();
        assert_eq!(self.report["completeness"]["complete"], true, "{self:?}");
        for alert in &self.alerts {
            assert_eq!(*alert.at("/completeness/complete"), true, "{alert:?}");
        }
        self
    }

    /// Panics unless generated = delivered + filtered + lost and nothing is in flight at the end.
    pub fn sums(&self) -> &Self {
        let completeness = &self.report["completeness"];
        let number = |key: &str| {
            completeness[key]
                .as_u64()
                .unwrap_or_else(|| panic!("no {key} in the report\n{self:?}"))
        };
        assert_eq!(number("in_flight"), 0, "in flight at the end\n{self:?}");
        assert_eq!(
            number("generated"),
            number("delivered") + number("filtered") + number("lost"),
            "events unaccounted for\n{self:?}"
        );
        self
    }

    /// The entries of the report's `connections` to one port.
    pub fn connections(&self, port: u16) -> Vec<&Value> {
        self.report["connections"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|connection| connection["port"] == port)
            .collect()
    }
}

impl std::fmt::Debug for Seen {
    /// All that helps to see why a test failed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        let line: Vec<_> = self.line.iter().map(|arg| arg.to_string_lossy()).collect();
        let line: String = line.join(" ").chars().take(600).collect();
        writeln!(text, "  $ {line}\n  {}", self.status)?;
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let tail: Vec<_> = stream.lines().rev().take(25).collect();
            for line in tail.iter().rev() {
                let line: String = line.chars().take(300).collect();
                writeln!(text, "  {name} | {line}")?;
            }
        }
        for alert in self.alerts.iter().take(20) {
            writeln!(text, "  alert {alert:?}")?;
        }
        for health in &self.health {
            writeln!(text, "  health {health}")?;
        }
        writeln!(text, "  completeness {}", self.report["completeness"])?;
        writeln!(text, "  exit {}", self.report["exit"])?;
        writeln!(text, "  connections {}", self.report["connections"])?;
        writeln!(text, "  captured {:?}", self.capture.tally())?;
        f.write_str(&text)
    }
}
