//! That no name is known does not mean that none was looked up.

use super::*;
use crate::event::{Count, Counters, UringOperation};

/// Whether a connection counts as resolved after what a process did before.
fn resolved(before: impl FnOnce(&mut Lookups)) -> String {
    let mut lookups = Lookups::new();
    before(&mut lookups);
    let seen = lookups.seen(lookups.root);
    seen.field("DestinationResolved").to_owned()
}

fn after_connect(transport: Transport, to: &str, errno: i32) -> String {
    resolved(|lookups| lookups.connect_to(lookups.root, socket(transport, to), errno))
}

const ENOENT: i32 = 2;
const ECONNREFUSED: i32 = 111;
const EINPROGRESS: i32 = 115;

#[test]
fn a_service_that_looks_names_up_for_others_was_reached() {
    for path in [
        "/run/nscd/socket",
        "/var/run/nscd/socket",
        "/run/systemd/resolve/io.systemd.Resolve",
        "/run/dbus/system_bus_socket",
    ] {
        assert_eq!(after_connect(Transport::Unix, path, 0), "unknown", "{path}");
        // Every program of glibc tries nscd.
        assert_eq!(after_connect(Transport::Unix, path, ENOENT), "no", "{path}");
    }
    assert_eq!(after_connect(Transport::Unix, "/run/docker.sock", 0), "no");
}

#[test]
fn dns_over_tls_and_over_https_hide_names() {
    for (to, errno, expected) in [
        ("8.8.8.8:853", 0, "unknown"),
        ("45.33.32.1:853", EINPROGRESS, "unknown"),
        ("45.33.32.1:853", ECONNREFUSED, "no"),
        // An address that needed no name.
        ("45.33.32.1:443", 0, "unknown"),
        ("45.33.32.1:443", ECONNREFUSED, "no"),
        ("45.33.32.1:80", 0, "no"),
    ] {
        let seen = after_connect(Transport::Tcp, to, errno);
        assert_eq!(seen, expected, "{to} {errno}");
    }
    for (name, expected) in [("dns.google", "unknown"), ("www.example", "no")] {
        let seen = resolved(|lookups| {
            lookups.told(lookups.root, name, "45.33.32.1");
            lookups.connect(lookups.root, "45.33.32.1", 443, 0);
        });
        assert_eq!(seen, expected, "{name}");
    }
}

#[test]
fn the_first_connection_to_a_bare_address_is_unresolved_even_if_it_may_be_a_resolver() {
    let mut lookups = Lookups::new();
    lookups.connect(lookups.root, ADDRESS, 4444, 0);
    assert_eq!(lookups.last().field("DestinationResolved"), "no");
}

#[test]
fn a_datagram_to_a_resolver_that_hides_has_no_result_to_wait_for() {
    let seen = resolved(|lookups| {
        let actor = lookups.stage.actor(lookups.root);
        let socket = socket(Transport::Udp, "224.0.0.251:5353");
        lookups.stage.push(Body::Send { actor, socket });
    });
    assert_eq!(seen, "unknown");
}

#[test]
fn what_one_process_of_an_install_was_told_it_may_have_told_another() {
    let mut lookups = Lookups::bare();
    lookups.npm();
    lookups.read(lookups.root, &["10.0.0.2"], &[], &[]);
    let script = lookups.script();
    lookups.connect_to(script, socket(Transport::Unix, "/run/nscd/socket"), 0);
    let seen = lookups.seen(lookups.root);
    assert_eq!(seen.field("DestinationResolved"), "unknown");
}

#[test]
fn an_answer_that_was_not_seen_whole_may_have_held_more() {
    let truncated = |again: bool| {
        resolved(|lookups| {
            let question = lookups.ask(lookups.root, "big.example");
            let mut told = answer(&question, &[("big.example", "45.33.32.1")]);
            told.message.truncated = true;
            lookups.message(lookups.root, told);
            if again {
                let mut question = question;
                question.transport = Transport::Tcp;
                question.cookie += 1000;
                lookups.message(lookups.root, question.clone());
                let whole = answer(&question, &[("big.example", "45.33.32.1")]);
                lookups.message(lookups.root, whole);
            }
        })
    };
    assert_eq!(truncated(false), "unknown");
    assert_eq!(truncated(true), "no");
    let unanswered = resolved(|lookups| {
        let mut question = lookups.ask(lookups.root, "big.example");
        question.transport = Transport::Tcp;
        lookups.message(lookups.root, question);
    });
    assert_eq!(unanswered, "unknown");
}

#[test]
fn a_sensor_that_does_not_see_dns_knows_of_no_name_that_there_is_none() {
    let seen = resolved(|lookups| {
        let Body::Start(start) = &mut lookups.stage.events[0].body else {
            unreachable!("a stage begins with it")
        };
        start.hooks.pop();
    });
    assert_eq!(seen, "unknown");
}

#[test]
fn without_the_files_of_the_session_a_name_may_be_from_them() {
    let mut lookups = Lookups::bare();
    lookups.python();
    lookups.told(lookups.root, "c2.example", "45.33.32.157");
    assert_eq!(lookups.seen(lookups.root).all(), ("", "unknown", "false"));
    // Nor does it count what was told there.
    lookups.connect(lookups.root, "45.33.32.157", 4444, 0);
    assert_eq!(lookups.last().all(), ("", "unknown", "false"));
}

#[test]
fn lost_events_may_have_been_names() {
    let seen = resolved(|lookups| {
        for lost in [0, 3] {
            let count = Count {
                generated: 10 + lost,
                delivered: 10,
                received: 10,
                lost,
                ..Count::default()
            };
            lookups.stage.push(Body::Counters(Counters {
                kinds: [("dns".to_owned(), count)].into(),
                ..Counters::default()
            }));
        }
    });
    assert_eq!(seen, "unknown");
}

#[test]
fn io_uring_connects_unseen() {
    let seen = resolved(|lookups| {
        let actor = lookups.stage.actor(lookups.root);
        lookups.stage.push(Body::IoUring {
            actor,
            operation: UringOperation::Connect,
            place: None,
        });
    });
    assert_eq!(seen, "unknown");
}

#[test]
fn a_process_that_ran_before_the_watch_may_remember_names() {
    let mut lookups = Lookups::bare();
    let found = lookups.root;
    let args = ["python", "app.py"];
    lookups
        .stage
        .exec(found, "/usr/bin/python3.11", &args, APP, &[]);
    let at = lookups.stage.events.len() - 1;
    let Body::Exec { actor, exec } = lookups.stage.events[at].body.clone() else {
        unreachable!("it was pushed as one")
    };
    lookups.stage.events[at].body = Body::Found {
        actor,
        exec,
        parent: None,
        resumed: false,
        step: None,
    };
    lookups.read(found, &["10.0.0.2"], &[], &[]);
    assert_eq!(lookups.seen(found).field("DestinationResolved"), "unknown");
}

#[test]
fn a_socket_of_an_unknown_namespace_has_an_unknown_name() {
    let mut lookups = Lookups::new();
    lookups.told(lookups.root, "c2.example", ADDRESS);
    let unknown = Socket {
        netns: 0,
        ..socket(Transport::Tcp, "45.33.32.156:4444")
    };
    lookups.connect_to(lookups.root, unknown, 0);
    assert_eq!(lookups.last().all(), ("", "unknown", "false"));
}

#[test]
fn a_flood_of_names_leaves_the_ones_that_were_let_go_of_unknown() {
    let mut lookups = Lookups::new();
    lookups.told(lookups.root, "c2.example", ADDRESS);
    for n in 0..20_000u32 {
        let address = std::net::Ipv4Addr::from(0x0500_0000 + n).to_string();
        lookups.told(lookups.root, "x.example", &address);
    }
    assert_eq!(lookups.seen(lookups.root).all(), ("", "unknown", "false"));
}
