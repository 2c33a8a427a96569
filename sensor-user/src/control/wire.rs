//! Lines between `run` and its privileged half, be that `sensor` behind sudo or the daemon. Down go commands, one JSON object a line. Up come
//! events in the capture's format; a counters record ends a batch; replies are objects with the
//! one key `reply`.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::event::{Operations, ProcessKey, Text, WatchEntry, WatchKey, WatchSet};
use crate::kernel::{HookPreference, HookStatus, SensorConfig};

/// An event holds at most 32 KiB of arguments, and a byte is at worst six characters of JSON.
pub(crate) const LINE_LIMIT: usize = 1 << 20;
/// A command line holds a whole watch set.
pub(crate) const COMMAND_LIMIT: usize = 4 << 20;

/// What `run` asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    /// First, and once.
    Start(Start),
    Watch {
        pid: u32,
    },
    /// Answered when everything generated before was sent.
    Drain {
        number: u64,
    },
    Alive {
        number: u64,
    },
    Stop {},
}

/// What the privileged half answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Ready {
        hooks: Vec<Hook>,
    },
    Watched {
        process: ProcessKey,
    },
    Drained {
        number: u64,
    },
    Alive {
        number: u64,
        processes: Vec<ProcessKey>,
    },
    /// It ends after this.
    Failed {
        message: String,
    },
}

/// A reply's line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReplyLine {
    pub(crate) reply: Reply,
}

/// What feeds an event kind: [`HookStatus`], also from another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hook {
    pub(crate) kind: String,
    pub(crate) optional: bool,
    pub(crate) chosen: Option<String>,
    pub(crate) refused: Vec<(String, String)>,
}

impl From<&HookStatus> for Hook {
    fn from(status: &HookStatus) -> Self {
        Self {
            kind: status.kind.to_owned(),
            optional: status.optional,
            chosen: status.chosen.clone(),
            refused: status.refused.clone(),
        }
    }
}

/// [`SensorConfig`] in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    process_ring_bytes: u32,
    detail_ring_bytes: u32,
    lineage_entries: u32,
    fallback_hooks: bool,
    probe_log: bool,
    /// The process whose children are watched.
    pub(crate) carrier: u32,
    watch: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: Key,
    operations: Operations,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Key {
    Component(Text),
    BasenameSuffix(Text),
    BasenamePrefix(Text),
    Any,
}

impl From<&SensorConfig> for Start {
    fn from(config: &SensorConfig) -> Self {
        let entry = |entry: &WatchEntry| Entry {
            key: match &entry.key {
                WatchKey::Component(bytes) => Key::Component(bytes.clone().into()),
                WatchKey::BasenameSuffix(bytes) => Key::BasenameSuffix(bytes.clone().into()),
                WatchKey::BasenamePrefix(bytes) => Key::BasenamePrefix(bytes.clone().into()),
                WatchKey::Any => Key::Any,
            },
            operations: entry.operations,
        };
        Self {
            process_ring_bytes: config.process_ring_bytes,
            detail_ring_bytes: config.detail_ring_bytes,
            lineage_entries: config.lineage_entries,
            fallback_hooks: config.hooks == HookPreference::Fallback,
            probe_log: config.probe_log,
            carrier: config.carrier.unwrap_or(std::process::id()),
            watch: config.watch.entries.iter().map(entry).collect(),
        }
    }
}

impl Start {
    /// The configuration, within what an unprivileged caller may take of the machine.
    pub(crate) fn within_limits(self) -> Result<SensorConfig, String> {
        const RING: u32 = 64 << 20;
        const LINEAGE: u32 = 1 << 20;
        const ENTRIES: usize = 16_384;
        const LITERAL: usize = 255;
        if self.process_ring_bytes > RING || self.detail_ring_bytes > RING {
            return Err(format!("a ring may hold at most {RING} bytes"));
        }
        if self.lineage_entries > LINEAGE {
            return Err(format!(
                "the lineage set may hold at most {LINEAGE} processes"
            ));
        }
        if self.watch.len() > ENTRIES {
            return Err(format!("there may be at most {ENTRIES} watch entries"));
        }
        let mut watch = WatchSet::default();
        for Entry { key, operations } in self.watch {
            let (key, length) = match key {
                Key::Component(text) => {
                    let bytes = text.as_bytes().to_vec();
                    (WatchKey::Component(bytes.clone()), bytes.len())
                }
                Key::BasenameSuffix(text) => {
                    let bytes = text.as_bytes().to_vec();
                    (WatchKey::BasenameSuffix(bytes.clone()), bytes.len())
                }
                Key::BasenamePrefix(text) => {
                    let bytes = text.as_bytes().to_vec();
                    (WatchKey::BasenamePrefix(bytes.clone()), bytes.len())
                }
                Key::Any => (WatchKey::Any, 1),
            };
            if length == 0 || length > LITERAL {
                return Err(format!("a watch entry has 1 to {LITERAL} bytes"));
            }
            watch.entries.push(WatchEntry { key, operations });
        }
        Ok(SensorConfig {
            watch,
            process_ring_bytes: self.process_ring_bytes,
            detail_ring_bytes: self.detail_ring_bytes,
            lineage_entries: self.lineage_entries,
            hooks: if self.fallback_hooks {
                HookPreference::Fallback
            } else {
                HookPreference::Best
            },
            probe_log: self.probe_log,
            carrier: Some(self.carrier),
            enter: Vec::new(),
        })
    }
}

/// Reads one line of at most `limit` bytes, without its end. `None` at the end of input.
/// Not to be cancelled: what was read of a line would be lost.
pub(crate) async fn line(
    input: &mut (impl AsyncBufRead + Unpin),
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            return match line.is_empty() {
                true => Ok(None),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        let end = available.iter().position(|&byte| byte == b'\n');
        let taken = end.unwrap_or(available.len());
        line.extend_from_slice(&available[..taken]);
        let consumed = end.map_or(taken, |end| end + 1);
        input.consume(consumed);
        if line.len() > limit {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a line is longer than {limit} bytes"),
            ));
        }
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// A value as one line.
pub(crate) fn json_line(value: &impl Serialize) -> Vec<u8> {
    // Strings as map keys and plain values only: these types can't fail.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    fn config(entries: Vec<WatchEntry>) -> SensorConfig {
        SensorConfig {
            watch: WatchSet { entries },
            process_ring_bytes: 1 << 20,
            detail_ring_bytes: 8 << 20,
            lineage_entries: 65_536,
            hooks: HookPreference::Fallback,
            ..SensorConfig::default()
        }
    }

    #[test]
    fn a_configuration_crosses_whole() {
        let sent = config(vec![
            WatchEntry {
                key: WatchKey::Component(b"\xff.ssh".to_vec()),
                operations: Operations::READ | Operations::WRITE,
            },
            WatchEntry {
                key: WatchKey::Any,
                operations: Operations::METADATA,
            },
        ]);
        let line = json_line(&Command::Start(Start::from(&sent)));
        let Command::Start(start) = serde_json::from_slice(&line).unwrap() else {
            panic!("another command");
        };
        let received = start.within_limits().unwrap();
        assert_eq!(received.watch, sent.watch);
        assert_eq!(received.hooks, sent.hooks);
    }

    #[test]
    fn more_than_a_caller_may_take_is_refused() {
        let too_large = SensorConfig {
            detail_ring_bytes: 1 << 30,
            ..config(Vec::new())
        };
        assert!(Start::from(&too_large).within_limits().is_err());
        let long = config(vec![WatchEntry {
            key: WatchKey::Component(vec![b'a'; 256]),
            operations: Operations::READ,
        }]);
        assert!(Start::from(&long).within_limits().is_err());
    }

    #[test]
    fn lines_end_at_the_limit_and_at_the_end() {
        run(async {
            let mut input: &[u8] = b"one\ntwo\n";
            assert_eq!(line(&mut input, 3).await.unwrap().unwrap(), b"one");
            assert_eq!(line(&mut input, 3).await.unwrap().unwrap(), b"two");
            assert_eq!(line(&mut input, 3).await.unwrap(), None);
            let mut long: &[u8] = b"longer\n";
            assert!(line(&mut long, 3).await.is_err());
            let mut torn: &[u8] = b"to";
            assert!(line(&mut torn, 3).await.is_err());
        });
    }
}
