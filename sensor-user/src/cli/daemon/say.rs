//! The daemon's own words, on standard error: short sentences, which journald files under
//! `pkgwardend`. Not alerts: those have their own way.

use std::io::{self, Write};
use std::sync::LazyLock;

use crate::alert::escape;

/// syslog(3), as sd-daemon(3) wants it before a line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Priority {
    Error = 3,
    Warning = 4,
    Info = 6,
}

/// journald reads this process's standard error, and takes the prefix away again.
static JOURNAL: LazyLock<bool> = LazyLock::new(|| std::env::var_os("JOURNAL_STREAM").is_some());

/// Says something; each line of it is made harmless and gets the prefix.
pub(super) fn say(priority: Priority, text: &str) {
    let mut lines = String::new();
    for line in text.lines() {
        let line = escape::terminal(line);
        match *JOURNAL {
            true => lines.push_str(&format!("<{}>{line}\n", priority as u8)),
            false => lines.push_str(&format!("pkgwarden: {line}\n")),
        }
    }
    // That nobody may read it any more is no reason to stop.
    let _ = io::stderr().write_all(lines.as_bytes());
}

pub(super) fn info(text: &str) {
    say(Priority::Info, text);
}

pub(super) fn warn(text: &str) {
    say(Priority::Warning, text);
}

pub(super) fn error(text: &str) {
    say(Priority::Error, text);
}
