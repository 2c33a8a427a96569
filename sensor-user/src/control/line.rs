//! The lines of an answer: entries as the store has them, then one word that ends it.

use serde::{Deserialize, Serialize};

use crate::state::Entry;

/// One line of the daemon's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// One thing that was asked for.
    Entry(Box<Entry>),
    /// Anything else.
    Word(Word),
}

/// What is not an entry. Its key can't be taken for one of an entry's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Last line of a query.
    End(End),
    /// Last line of anything that went wrong: a sentence.
    Error(String),
    /// Follow is under way: what is raised from now on comes.
    Following {},
    /// A follower that read too slowly missed so many entries.
    Skipped(u64),
    /// The daemon's metrics, as Prometheus text.
    Metrics(String),
    /// How the daemon is.
    Status(Box<Status>),
}

/// What holds for a whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct End {
    /// Sessions of the asked-for kind that have not ended.
    pub open_sessions: u64,
    /// Whether the answer holds everything that was asked for: nothing lost in the kernel, dropped
    /// by the store's limits or unreadable in it, and the daemon running throughout.
    pub complete: bool,
    /// Why it is not complete, and what else is to be known: sentences.
    pub troubles: Vec<String>,
}

/// How the daemon is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// pkgwarden's version.
    pub version: String,
    /// CLOCK_REALTIME in nanoseconds.
    pub since: i64,
    /// `exec: btf_tracepoint sched_process_exec`.
    pub hooks: Vec<String>,
    /// Sentences: what can't be seen on this kernel and why.
    pub degraded: Vec<String>,
    /// Of the loaded rules.
    pub rules_sha256: String,
    /// Watched by `run` at the moment.
    pub runs: u64,
    /// Install sessions that have not ended.
    pub open_sessions: u64,
}

impl Line {
    /// Reads a line.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        if line.starts_with(b"{\"owner\"") {
            serde_json::from_slice(line).map(|entry| Line::Entry(Box::new(entry)))
        } else {
            serde_json::from_slice(line).map(Line::Word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::wire::json_line;
    use crate::health::{Code, Health};
    use crate::state::Record;

    #[test]
    fn an_entry_and_every_word_come_back_as_they_were() {
        let health = Health::new(
            Default::default(),
            "2026-01-01T00:00:00Z".to_owned(),
            Code::EventsLost,
            "x".to_owned(),
            None,
        );
        let entry = Entry {
            owner: 1000,
            at: -1,
            record: Record::Health(Box::new(health)),
        };
        assert_eq!(
            Line::parse(&json_line(&entry)).unwrap(),
            Line::Entry(Box::new(entry))
        );
        for word in [
            Word::End(End::default()),
            Word::Error("no".to_owned()),
            Word::Following {},
            Word::Skipped(3),
            Word::Metrics("a 1\n".to_owned()),
            Word::Status(Box::default()),
        ] {
            assert_eq!(Line::parse(&json_line(&word)).unwrap(), Line::Word(word));
        }
        assert!(Line::parse(b"{\"owner\":1}").is_err());
        assert!(Line::parse(b"").is_err());
    }
}
