use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::event::{
    Actor, Body, Count, Counters, Exec, Host, Manifest, Observed, Open, Operations, Place,
    ProcessKey, Socket, Start, Text, Transport, UringOperation, UserName,
};

fn recorded(events: &[Event]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for event in events {
        writer.write(event).unwrap();
    }
    writer.into_inner()
}

/// What could be read, and the sentence about what could not.
fn read(bytes: &[u8]) -> (Vec<Event>, Option<String>) {
    let mut events = Vec::new();
    match Reader::new(bytes) {
        Err(error) => (events, Some(error.to_string())),
        Ok(reader) => {
            for event in reader {
                match event {
                    Ok(event) => events.push(event),
                    Err(error) => return (events, Some(error.to_string())),
                }
            }
            (events, None)
        }
    }
}

fn two_events() -> Vec<Event> {
    let events = crate::event::stage::Stage::new("x").events;
    [events.clone(), events].concat()
}

#[test]
fn a_torn_capture_is_used_up_to_the_tear() {
    let events = two_events();
    let whole = recorded(&events);
    let (read_back, error) = read(&whole[..whole.len() - 9]);
    assert_eq!(read_back, events[..1]);
    let error = error.unwrap();
    assert!(
        error.contains("line 3") && error.contains("torn"),
        "{error}"
    );
    assert!(error.contains("1 events before it"), "{error}");
    // Torn just before the line's end, nothing is missing.
    assert_eq!(read(&whole[..whole.len() - 1]), (events, None));
}

#[test]
fn a_line_in_the_middle_that_is_no_event_ends_the_reading() {
    let mut bytes = recorded(&two_events()[..1]);
    bytes.extend_from_slice(b"{\"time\":1}\n");
    bytes.extend_from_slice(b"{\"time\":1}\n");
    let (events, error) = read(&bytes);
    assert_eq!(events.len(), 1);
    let error = error.unwrap();
    assert!(error.starts_with("line 3: not an event"), "{error}");
}

#[test]
fn what_is_no_capture_is_told_apart_from_a_later_one() {
    for (bytes, part) in [
        (&b""[..], "empty"),
        (b"\x7fELF\x02\x01\x01", "no capture"),
        (b"{\"schema\":\"pkgwarden.alert/1\"}\n", "no capture"),
        (b"{\"a\":1}\n", "no capture"),
        (b"[]\n", "no capture"),
        (
            b"{\"schema\":\"pkgwarden.capture/2\"}\n{}\n",
            "pkgwarden.capture/2",
        ),
    ] {
        let error = read(bytes).1.unwrap();
        assert!(error.contains(part), "{error}");
    }
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(Text::from),
        "[a-z\\\\\"\n/é]{0,12}".prop_map(Text::from),
    ]
}

fn key() -> impl Strategy<Value = ProcessKey> {
    any::<(u32, u64)>().prop_map(|(pid, start)| ProcessKey { pid, start })
}

fn actor() -> impl Strategy<Value = Actor> {
    (key(), key(), any::<(u32, u32, u64)>()).prop_map(|(process, root, (tid, uid, cgroup))| Actor {
        process,
        tid,
        uid,
        cgroup,
        root,
    })
}

fn place() -> impl Strategy<Value = Place> {
    (text(), any::<(bool, bool)>(), proptest::option::of(text())).prop_map(
        |(path, (argued, truncated), argument)| Place {
            path,
            observed: if argued {
                Observed::Argument
            } else {
                Observed::Kernel
            },
            argument,
            truncated,
            source: None,
        },
    )
}

fn exec() -> impl Strategy<Value = Exec> {
    let lists = (
        proptest::collection::vec(text(), 0..4),
        proptest::collection::btree_map("[A-Za-z_]{1,8}", text(), 0..3),
    );
    (place(), text(), lists, text(), any::<(bool, u32, u64)>()).prop_map(
        |(executable, requested, (args, environment), working_directory, (flag, n, inode))| Exec {
            executable,
            requested,
            args,
            args_truncated: flag,
            environment,
            working_directory,
            parent_pid: n,
            memfd: flag,
            inode,
            mode: n,
            ..Exec::default()
        },
    )
}

fn socket() -> impl Strategy<Value = Socket> {
    let ip = proptest::option::of(any::<IpAddr>());
    (ip, any::<(u16, u64)>(), proptest::option::of(text())).prop_map(
        |(ip, (port, cookie), path)| Socket {
            transport: Transport::Udp,
            ip,
            port,
            path,
            cookie,
            netns: 0,
            observed: Observed::Argument,
        },
    )
}

fn start() -> impl Strategy<Value = Start> {
    (
        any::<i64>(),
        text(),
        proptest::option::of(key()),
        any::<u32>(),
    )
        .prop_map(|(wall_offset, word, root, uid)| Start {
            wall_offset,
            host: Host {
                name: "h".into(),
                ..Host::default()
            },
            command: vec![word.clone(), word],
            root,
            users: vec![UserName {
                uid,
                name: "a".into(),
            }],
            ..Start::default()
        })
}

fn body() -> impl Strategy<Value = Body> {
    let n = any::<(u32, i32, u64)>();
    prop_oneof![
        (actor(), key()).prop_map(|(actor, child)| Body::Fork { actor, child }),
        (actor(), exec()).prop_map(|(actor, exec)| Body::Exec {
            actor,
            exec: Box::new(exec)
        }),
        (actor(), n).prop_map(|(actor, n)| Body::Exit { actor, status: n.1 }),
        (actor(), place(), n).prop_map(|(actor, place, n)| Body::ExecFailed {
            actor,
            place,
            errno: n.1
        }),
        (actor(), socket()).prop_map(|(actor, socket)| Body::Connect { actor, socket }),
        (actor(), n).prop_map(|(actor, n)| Body::ConnectResult {
            actor,
            errno: n.1,
            cookie: n.2
        }),
        (actor(), socket()).prop_map(|(actor, socket)| Body::Send { actor, socket }),
        (actor(), any::<(u16, u16)>()).prop_map(|(actor, (family, protocol))| Body::RawSocket {
            actor,
            family,
            protocol
        }),
        (actor(), place(), n).prop_map(|(actor, place, (flags, errno, inode))| {
            let operations = Operations::from_bits_truncate(flags);
            let open = Box::new(Open {
                place,
                operations,
                flags,
                mode: flags,
                errno,
                inode,
            });
            Body::Open { actor, open }
        }),
        (actor(), place(), place(), n).prop_map(|(actor, from, to, n)| Body::Rename {
            actor,
            from,
            to,
            errno: n.1
        }),
        (actor(), place()).prop_map(|(actor, place)| Body::Unlink { actor, place }),
        (actor(), place(), n).prop_map(|(actor, place, (mode, errno, _))| Body::Chmod {
            actor,
            place,
            mode,
            errno
        }),
        (actor(), text()).prop_map(|(actor, path)| Body::Module { actor, path }),
        (actor(), place(), ".{0,5}").prop_map(|(actor, place, word)| Body::StartupFile {
            actor,
            place,
            code: vec![word]
        }),
        (actor(), proptest::option::of(place())).prop_map(|(actor, place)| Body::IoUring {
            actor,
            operation: UringOperation::Symlink,
            place,
        }),
        (key(), text(), proptest::option::of(".{0,5}")).prop_map(|(about, directory, name)| {
            let file = "PKG-INFO".to_owned();
            Body::Metadata {
                about,
                manifest: Manifest {
                    directory,
                    file,
                    name,
                    version: None,
                    fetched: None,
                },
            }
        }),
        (n, proptest::option::of(".{0,5}")).prop_map(|(n, image)| Body::Container {
            cgroup: n.2,
            id: "0f".into(),
            runtime: "podman".into(),
            name: None,
            image,
        }),
        start().prop_map(|start| Body::Start(Box::new(start))),
        n.prop_map(|n| {
            let count = Count {
                generated: n.2,
                lost: n.0.into(),
                ..Count::default()
            };
            let kinds = [("exec", count)].into();
            Body::Counters(Counters {
                kinds,
                lineage_full: n.2,
                out_of_order: n.2,
                withheld: n.0.into(),
            })
        }),
        (key(), n).prop_map(|(root, n)| Body::CommandEnded { root, status: n.1 }),
        Just(Body::End),
    ]
}

proptest! {
    #[test]
    fn what_is_read_back_is_what_was_written(
        all in proptest::collection::vec((any::<(u64, u32, u64)>(), body()), 0..12)
    ) {
        let events: Vec<_> = all
            .into_iter()
            .map(|((time, cpu, sequence), body)| Event { time, cpu, sequence, body })
            .collect();
        prop_assert_eq!(read(&recorded(&events)), (events, None));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        let mut capture = recorded(&[]);
        capture.extend_from_slice(&bytes);
        let _ = read(&capture);
        let _ = read(&bytes);
    }
}
