//! The recorded events of a run.

use std::collections::BTreeMap;

use serde_json::Value;

/// A capture, without its header.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    /// Events, as recorded.
    pub events: Vec<Value>,
}

impl Capture {
    /// Parses one; panics where it is not what the contract says.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut lines = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        let header: Value = serde_json::from_slice(lines.next().expect("a capture has a header"))
            .expect("the header of a capture is JSON");
        assert_eq!(header["schema"], "pkgwarden.capture/1");
        let events = lines
            .map(|line| {
                serde_json::from_slice(line).unwrap_or_else(|error| {
                    panic!("{error} in {:?}", String::from_utf8_lossy(line))
                })
            })
            .collect();
        Self { events }
    }

    /// Events of one kind.
    pub fn of<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let kind = kind.to_owned();
        self.events
            .iter()
            .filter(move |event| event["event"] == kind.as_str())
    }

    /// Exec events one of whose arguments is `word`.
    pub fn execs_with<'a>(&'a self, word: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let word = word.to_owned();
        self.of("exec")
            .filter(move |event| args(event).contains(&word))
    }

    /// Events of one kind that name this path, as the kernel or as the argument gave it.
    pub fn paths<'a>(
        &'a self,
        kind: &str,
        path: &str,
    ) -> impl Iterator<Item = &'a Value> + use<'a> {
        let path = path.to_owned();
        self.of(kind).filter(move |event| {
            ["/open/path", "/place/path", "/from/path", "/to/path"]
                .iter()
                .filter_map(|pointer| event.pointer(pointer))
                .any(|found| *found == path.as_str())
        })
    }

    /// Number of events by kind, for messages.
    pub fn tally(&self) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for event in &self.events {
            let kind = event["event"].as_str().unwrap_or("?").to_owned();
            *tally.entry(kind).or_default() += 1;
        }
        tally
    }

    /// The root of the watched tree.
    pub fn root(&self) -> &Value {
        &self
            .of("start")
            .next()
            .expect("a capture has a start record")["root"]
    }

    /// Panics unless every process event belongs to the tree that was watched.
    pub fn all_in_the_watched_tree(&self) {
        let root = self.root();
        for event in &self.events {
            if let Some(actor) = event.get("actor") {
                assert_eq!(&actor["root"], root, "outside the watched tree: {event}");
            }
        }
    }
}

/// Arguments of an exec event, as recorded.
fn args(event: &Value) -> Vec<String> {
    event["exec"]["args"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The bytes behind recorded text: `\\` is a backslash, `\xHH` a byte.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                bytes.push(b'\\');
                tail
            }
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digit = |d: &u8| (*d as char).to_digit(16).expect("a hex digit") as u8;
                bytes.push(digit(high) << 4 | digit(low));
                tail
            }
            (b'\\', _) => panic!("a bare backslash in {text:?}"),
            _ => {
                bytes.push(first);
                tail
            }
        };
    }
    bytes
}
