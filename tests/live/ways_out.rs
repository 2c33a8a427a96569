//! Every way out of the machine, once each: to a public-looking address that is this machine, in a network
//! of the test's own.

use serde_json::Value;
use tests::{NetworkNamespace, Scratch, Seen, Turn, Watched, fixture, need, require};

const V4: &str = "45.33.32.156";
const V6: &str = "2600:3c01::f03c:91ff:fe18:bb2f";

const BASE: u16 = 5000;
/// Where nobody listens.
const SHUT: u16 = 100;

/// The event that each way must give, and its transport.
const WAYS: [(&str, &str, &str); 11] = [
    ("tcp", "connect", "tcp"),
    ("tcp-nonblocking", "connect", "tcp"),
    ("tcp-one-family", "connect", "tcp"),
    ("fastopen-sendto", "connect", "tcp"),
    ("fastopen-sendmsg", "connect", "tcp"),
    ("mptcp", "connect", "tcp"),
    ("mptcp-nonblocking", "connect", "tcp"),
    ("udp-connected", "connect", "udp"),
    ("udp-sendto", "send", "udp"),
    ("udp-sendmsg", "send", "udp"),
    ("udp-sendmmsg", "send", "udp"),
];

fn go(scratch: &Scratch, address: &str, tuning: &str) -> Seen {
    let network = NetworkNamespace::with_addresses(&[V4, V6]);
    let script = fixture::act("ways_out.py");
    let mut line = network.enter();
    line.extend(["/usr/bin/python3".into(), script.display().to_string()]);
    line.extend([address.into(), BASE.to_string()]);
    line.extend(WAYS.map(|(way, ..)| way.to_owned()));
    let run = Watched::run(scratch, line);
    let seen = match tuning {
        "" => run.finish(),
        tuning => run.tuning(tuning).finish(),
    };
    seen.ended_with(0).complete();
    seen
}

/// Whether this kernel has a way.
fn is_there(seen: &Seen, way: &str) -> bool {
    let none = seen
        .stdout
        .lines()
        .find(|line| line.starts_with(&format!("no {way} ")));
    if let Some(why) = none {
        require::skip(why);
    }
    none.is_none()
}

/// Events of any kind that lead to this port.
fn to_port(seen: &Seen, port: u16) -> Vec<&Value> {
    let leads = |event: &&Value| event["event"] != "listen" && event["socket"]["port"] == port;
    seen.capture.events.iter().filter(leads).collect()
}

/// The end of the connect of this socket, by its state.
fn ends<'a>(seen: &'a Seen, cookie: &Value) -> Vec<&'a Value> {
    seen.capture
        .of("connect_result")
        .filter(|event| event["cookie"] == *cookie)
        .collect()
}

fn every_way_is_one_event(address: &str, tuning: &str) {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = go(&scratch, address, tuning);
    let mut namespaces = Vec::new();
    for (number, (way, kind, transport)) in WAYS.into_iter().enumerate() {
        if !is_there(&seen, way) {
            continue;
        }
        for shut in [0, SHUT] {
            let port = BASE + shut + number as u16;
            let events = to_port(&seen, port);
            let [event] = events.as_slice() else {
                panic!(
                    "{way} to {port} is {} events\n{events:#?}\n{seen:?}",
                    events.len()
                );
            };
            assert_eq!(event["event"], kind, "{way}: {event}");
            let socket = &event["socket"];
            assert_eq!(socket["ip"], address, "{way}: {event}");
            assert_eq!(socket["transport"], transport, "{way}: {event}");
            assert_ne!(socket["cookie"], 0, "{way}: {event}");
            namespaces.push(socket["netns"].clone());
            let outcome = match (kind, transport, shut) {
                ("connect", "tcp", SHUT) => "refused",
                ("connect", ..) => "connected",
                _ => "attempted",
            };
            if transport == "tcp" {
                let ends = ends(&seen, &socket["cookie"]);
                let [end] = ends.as_slice() else {
                    panic!("{way} to {port} ends {} times\n{seen:?}", ends.len());
                };
                let errno = if shut == SHUT { 111 } else { 0 };
                assert_eq!(end["errno"], errno, "{way}: {end}");
            }
            let connections = seen.connections(port);
            let [connection] = connections.as_slice() else {
                panic!("{way} to {port}: {connections:?}\n{seen:?}");
            };
            assert_eq!(connection["outcome"], outcome, "{way}: {connection}");
            assert_eq!(connection["count"], 1, "{way}: {connection}");
            assert_eq!(connection["ip"], address, "{way}: {connection}");
        }
    }
    assert_ne!(namespaces[0], Value::Null);
    assert!(namespaces.iter().all(|one| *one == namespaces[0]));
}

#[test]
fn every_way_out_by_ipv4_is_one_event_with_its_outcome() {
    every_way_is_one_event(V4, "");
}

#[test]
fn every_way_out_by_ipv6_is_one_event_with_its_outcome() {
    every_way_is_one_event(V6, "");
}

#[test]
fn a_connect_that_is_given_up_stays_attempted_and_one_without_a_route_is_unreachable() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let network = NetworkNamespace::with_addresses(&[V4]);
    // A queue of one: further calls get no answer.
    let script = format!(
        "import socket, time\n\
         listener = socket.create_server(('{V4}', 6000), backlog=0)\n\
         calls = [socket.socket() for _ in range(4)]\n\
         for call in calls:\n\
         \x20   call.setblocking(False)\n\
         \x20   call.connect_ex(('{V4}', 6000))\n\
         time.sleep(0.3)\n\
         for call in calls:\n\
         \x20   call.close()\n\
         for _ in range(2):\n\
         \x20   socket.socket().connect_ex(('45.33.32.1', 6001))\n"
    );
    let mut line = network.enter();
    line.extend(["/usr/bin/python3".into(), "-c".into(), script]);
    let seen = Watched::run(&scratch, line).finish();
    seen.ended_with(0).complete();
    let count = |port: u16, outcome: &str| {
        let all = seen.connections(port);
        let of = all.iter().find(|one| one["outcome"] == outcome);
        of.map_or(0, |one| one["count"].as_u64().unwrap())
    };
    let (connected, attempted) = (count(6000, "connected"), count(6000, "attempted"));
    assert!(connected >= 1 && attempted >= 1, "{seen:?}");
    assert_eq!(connected + attempted, 4, "{seen:?}");
    assert_eq!(count(6001, "unreachable"), 2, "{seen:?}");
}

#[test]
fn outcomes_are_the_same_by_the_fallback_hook() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = go(&scratch, V4, "hooks=fallback");
    for shut in [0, SHUT] {
        let port = BASE + shut;
        let outcome = if shut == SHUT { "refused" } else { "connected" };
        assert_eq!(seen.connections(port)[0]["outcome"], outcome, "{seen:?}");
    }
    assert!(
        seen.capture
            .of("listen")
            .any(|event| event["socket"]["port"] == BASE),
        "{seen:?}"
    );
}

#[test]
fn who_listens_is_told_once_with_the_address_that_it_is_bound_to() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    for address in [V4, V6] {
        let scratch = Scratch::new();
        let seen = go(&scratch, address, "");
        for (number, (way, _, transport)) in WAYS.into_iter().enumerate() {
            if transport != "tcp" || !is_there(&seen, way) {
                continue;
            }
            let port = BASE + number as u16;
            let listens: Vec<_> = seen
                .capture
                .of("listen")
                .filter(|event| event["socket"]["port"] == port)
                .collect();
            let [event] = listens.as_slice() else {
                panic!("{way} listens {} times at {port}\n{seen:?}", listens.len());
            };
            assert_eq!(event["socket"]["ip"], address, "{way}: {event}");
            assert_eq!(event["socket"]["transport"], "tcp", "{way}: {event}");
            let connect = to_port(&seen, port)[0];
            assert_eq!(
                event["socket"]["netns"], connect["socket"]["netns"],
                "{way}"
            );
        }
    }
}

/// A rule asks for the socket of a container engine; it is reached by whatever name a script gives it.
#[test]
fn an_af_unix_peer_is_named_by_what_it_is_bound_to() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = fixture::act("unix_ways.py");
    let folder = scratch.tmp();
    let line = [
        "/usr/bin/python3",
        script.to_str().unwrap(),
        folder.to_str().unwrap(),
    ];
    let seen = Watched::run(&scratch, line).finish();
    seen.ended_with(0).complete();
    let connects: Vec<_> = seen
        .capture
        .of("connect")
        .filter(|event| event["socket"]["transport"] == "unix")
        .map(|event| {
            let socket = &event["socket"];
            let text = |key: &str| socket[key].as_str().unwrap_or_default().to_owned();
            (text("path"), text("observed"))
        })
        .collect();
    let inside = |name: &str| folder.join(name).display().to_string();
    let real = (inside("real.sock"), "kernel".to_owned());
    let expected = [
        real.clone(),
        real.clone(),
        real.clone(),
        real,
        (inside("gram.sock"), "kernel".into()),
        (inside("missing.sock"), "argument".into()),
        ("@pkgwarden-nobody".into(), "argument".into()),
    ];
    assert_eq!(connects, expected, "{seen:?}");
}

/// Whose socket it was first does not matter: who connects is told, once, with the address.
#[test]
fn a_socket_that_another_process_handed_over_is_told_by_who_connects_it() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let network = NetworkNamespace::with_addresses(&[V4]);
    let script = fixture::act("handed_over.py");
    let mut line = network.enter();
    line.extend(["/usr/bin/python3".into(), script.display().to_string()]);
    line.push(V4.into());
    let seen = Watched::run(&scratch, line).finish();
    seen.ended_with(0).complete();
    let pid = |name: &str| -> u64 {
        let line = seen.stdout.lines().find_map(|line| line.strip_prefix(name));
        line.expect("it prints its pids").trim().parse().unwrap()
    };
    // Not yet connected, and not by UDP: the receiver does it.
    for (port, by, kind) in [
        (6000, "receiver", "connect"),
        (6001, "receiver", "send"),
        // Connected before it was handed over: what goes through it later is no event of its own.
        (6002, "sender", "connect"),
    ] {
        let events = to_port(&seen, port);
        let [event] = events.as_slice() else {
            panic!("{port} is {} events\n{events:#?}\n{seen:?}", events.len());
        };
        assert_eq!(event["event"], kind, "{event}");
        assert_eq!(event["socket"]["ip"], V4, "{event}");
        assert_eq!(event["actor"]["pid"], pid(by), "{event}");
    }
}
