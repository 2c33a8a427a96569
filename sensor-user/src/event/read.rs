//! One line of JSON to an event, quickly.
//!
//! An event's written form has its kind inside, among flattened fields. serde reads such a form by
//! keeping every value and looking at all of them again, which was most of the time of a replay. The
//! kinds that come by the thousand are read here straight into their own fields. Whatever does not
//! fit, a rarer kind or a line with a mistake, is read the general way, which also has the last
//! word on what is wrong with it.

use serde::Deserialize;

use super::{
    Actor, Body, Counters, Event, Exec, Manifest, Observed, Open, Operations, Place, ProcessKey,
    Socket, Text,
};

/// Where in a line the kind stands at the latest: after three numbers.
const KIND_WITHIN: usize = 96;

/// The event that a line holds.
pub fn event(line: &[u8]) -> serde_json::Result<Event> {
    quick(line).map_or_else(|| serde_json::from_slice(line), Ok)
}

macro_rules! quick {
    ($($kind:literal => $body:ident { $($(#[$how:meta])* $field:ident: $form:ty),* }),* $(,)?) => {
        fn quick(line: &[u8]) -> Option<Event> {
            match kind(line)? {
                b"counters" => counters(line),
                $($kind => {
                    #[derive(Deserialize)]
                    struct Line<'l> {
                        time: u64,
                        cpu: u32,
                        sequence: u64,
                        event: &'l [u8],
                        $($(#[$how])* $field: $form),*
                    }
                    let line: Line<'_> = serde_json::from_slice(line).ok()?;
                    // What was found first need not have been the line's own.
                    (line.event == $kind).then(|| Event {
                        time: line.time,
                        cpu: line.cpu,
                        sequence: line.sequence,
                        body: Body::$body { $($field: line.$field.into()),* },
                    })
                })*
                _ => None,
            }
        }
    };
}

quick! {
    b"fork" => Fork { actor: ActorLine, child: ProcessKey },
    b"exec" => Exec { actor: ActorLine, exec: Box<Exec> },
    b"exit" => Exit { actor: ActorLine, status: i32 },
    b"connect" => Connect { actor: ActorLine, socket: Socket },
    b"connect_result" => ConnectResult { actor: ActorLine, errno: i32, #[serde(default)] cookie: u64 },
    b"open" => Open { actor: ActorLine, open: OpenLine },
    b"rename" => Rename { actor: ActorLine, from: Place, to: Place, errno: i32 },
    b"unlink" => Unlink { actor: ActorLine, place: Place },
    b"chmod" => Chmod { actor: ActorLine, place: Place, mode: u32, errno: i32 },
    b"module" => Module { actor: ActorLine, path: Text },
    b"metadata" => Metadata { about: ProcessKey, manifest: Manifest },
}

/// The accounting is flattened into its line, so the line is read twice: to skip a value costs little.
fn counters(line: &[u8]) -> Option<Event> {
    #[derive(Deserialize)]
    struct Line<'l> {
        time: u64,
        cpu: u32,
        sequence: u64,
        event: &'l [u8],
    }
    let outer: Line<'_> = serde_json::from_slice(line).ok()?;
    let counters: Counters = serde_json::from_slice(line).ok()?;
    (outer.event == b"counters").then_some(Event {
        time: outer.time,
        cpu: outer.cpu,
        sequence: outer.sequence,
        body: Body::Counters(counters),
    })
}

/// The first kind that a line names.
fn kind(line: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b"\"event\":\"";
    let head = &line[..line.len().min(KIND_WITHIN)];
    let start = head.windows(KEY.len()).position(|part| part == KEY)? + KEY.len();
    let length = head[start..].iter().position(|&byte| byte == b'"')?;
    Some(&head[start..start + length])
}

/// [`Actor`] as it is written.
#[derive(Deserialize)]
struct ActorLine {
    pid: u32,
    start: u64,
    tid: u32,
    uid: u32,
    cgroup: u64,
    root: ProcessKey,
}

impl From<ActorLine> for Actor {
    fn from(line: ActorLine) -> Self {
        Self {
            process: ProcessKey {
                pid: line.pid,
                start: line.start,
            },
            tid: line.tid,
            uid: line.uid,
            cgroup: line.cgroup,
            root: line.root,
        }
    }
}

/// [`Open`] as it is written.
#[derive(Deserialize)]
struct OpenLine {
    path: Text,
    #[serde(default)]
    observed: Observed,
    #[serde(default)]
    argument: Option<Text>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    source: Option<Box<Place>>,
    operations: Operations,
    flags: u32,
    #[serde(default)]
    mode: u32,
    #[serde(default)]
    errno: i32,
    #[serde(default)]
    inode: u64,
}

impl From<OpenLine> for Box<Open> {
    fn from(line: OpenLine) -> Self {
        Box::new(Open {
            place: Place {
                path: line.path,
                observed: line.observed,
                argument: line.argument,
                truncated: line.truncated,
                source: line.source,
            },
            operations: line.operations,
            flags: line.flags,
            mode: line.mode,
            errno: line.errno,
            inode: line.inode,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> String {
        let mut stage = crate::event::stage::Stage::new("x");
        stage.open(stage.root, "/a/b", Operations::READ, 0);
        serde_json::to_string(&stage.events[1]).unwrap()
    }

    #[test]
    fn the_kinds_of_the_thousands_are_read_the_quick_way() {
        let mut stage = crate::event::stage::Stage::new("x");
        let root = stage.root;
        let child = stage.spawn(root, "/bin/a", &["a"], "/", &["A=b"]);
        stage.open(child, "/a/\\b", Operations::READ | Operations::WRITE, 0);
        stage.connect(child, "::1", 1, 0);
        stage.exit(child);
        for event in &stage.events[1..] {
            let line = serde_json::to_vec(event).unwrap();
            assert_eq!(quick(&line).as_ref(), Some(event), "{event:?}");
        }
    }

    #[test]
    fn a_kind_inside_another_value_misleads_nobody() {
        let line = opened();
        let inside = line.replacen("{\"time\"", "{\"x\":{\"event\":\"exit\"},\"time\"", 1);
        let expected: Event = serde_json::from_str(&line).unwrap();
        assert_eq!(event(inside.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn keys_in_another_order_are_read_too() {
        let line = opened();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let mut keys: Vec<_> = value.as_object().unwrap().clone().into_iter().collect();
        keys.reverse();
        let reversed = serde_json::Value::Object(keys.into_iter().collect()).to_string();
        let expected: Event = serde_json::from_str(&line).unwrap();
        assert_eq!(event(reversed.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn a_mistake_is_told_as_the_general_reader_tells_it() {
        let line = opened().replace("\"tid\"", "\"tod\"");
        let general = serde_json::from_str::<Event>(&line).unwrap_err();
        let error = event(line.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), general.to_string());
    }
}
