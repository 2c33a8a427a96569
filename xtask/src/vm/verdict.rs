//! What is wrong with what a guest sent back: the part that is the same for every guest.

use std::fs;
use std::path::Path;

/// What a kernel prints when something is wrong with it.
const KERNEL_WARNINGS: [&str; 8] = [
    "WARNING:",
    "BUG:",
    "Oops",
    "Call Trace",
    "general protection",
    "soft lockup",
    "detected stalls",
    "refcount_t:",
];

#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// What is worth showing, line by line.
    pub(super) shown: String,
    /// What is wrong, one phrase each.
    pub(super) breaches: Vec<String>,
}

/// A file that the guest left; nothing if it did not.
pub(super) fn read(out: &Path, name: &str) -> String {
    let bytes = fs::read(out.join(name)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Verdict {
    pub(super) fn breach(&mut self, what: impl Into<String>) {
        self.breaches.push(what.into());
    }

    /// A line `STEP STATUS` must be there, with one of these statuses.
    pub(super) fn status(&mut self, statuses: &str, step: &str, good: &[&str]) {
        match status(statuses, step) {
            Some(status) if good.contains(&status) => {}
            Some(other) => self.breach(format!("{step} ended with status {other}")),
            None => self.breach(format!("{step} did not run")),
        }
    }

    pub(super) fn kernel_log(&mut self, dmesg: &str) {
        if dmesg.is_empty() {
            self.breach("no kernel log came back");
        }
        for line in dmesg.lines() {
            if KERNEL_WARNINGS.iter().any(|mark| line.contains(mark)) {
                self.breach(format!("the kernel says: {}", line.trim()));
            }
        }
    }
}

pub(super) fn status<'a>(statuses: &'a str, step: &str) -> Option<&'a str> {
    statuses
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == step)
        .map(|(_, status)| status)
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn a_step_that_failed_or_did_not_run_is_a_breach() {
        let mut verdict = Verdict::default();
        let statuses = "install 0\nreload 1\n";
        verdict.status(statuses, "install", &["0"]);
        assert!(verdict.breaches.is_empty());
        verdict.status(statuses, "reload", &["0"]);
        verdict.status(statuses, "purge", &["0"]);
        assert_eq!(verdict.breaches.len(), 2);
    }

    #[test]
    fn kernel_warnings_are_breaches() {
        let mut verdict = Verdict::default();
        verdict.kernel_log("[ 1.1] fine");
        assert!(verdict.breaches.is_empty());
        verdict.kernel_log("[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1\n[ 1.1] fine\n");
        assert_eq!(verdict.breaches.len(), 1);
    }
}
