//! Names that watched processes ask for, and what they are told.

use serde_json::{Value, json};
use tests::{Background, NetworkNamespace, Scratch, Seen, Turn, Watched, fixture, need, require};

const V4: [&str; 2] = ["45.33.32.156", "45.33.32.157"];
const V6: [&str; 2] = [
    "2600:3c01::f03c:91ff:fe18:bb2f",
    "2600:3c01::f03c:91ff:fe18:bb30",
];

/// One process asks a server in a network of its own.
fn asks(servers: [&str; 2], how: &str, name: &str, kinds: &[&str]) -> Seen {
    let scratch = Scratch::new();
    let network = NetworkNamespace::with_addresses(&[V4, V6].concat());
    let python = |script: &str| {
        let mut line = network.enter();
        let script = fixture::act(script);
        line.extend(["/usr/bin/python3".into(), script.display().to_string()]);
        line
    };
    let ready = scratch.tmp().join("ready");
    let mut serve = python("dns_server.py");
    serve.extend(servers.map(str::to_owned));
    serve.push(ready.display().to_string());
    let server = Background::start(&scratch, serve);
    server.until("the server listens", || ready.exists());
    let mut ask = python("dns_client.py");
    ask.extend([servers[0], how, name].map(str::to_owned));
    ask.extend(kinds.iter().map(|&kind| kind.to_owned()));
    let seen = Watched::run(&scratch, ask).finish();
    seen.ended_with(0).sums();
    seen
}

fn messages(seen: &Seen) -> Vec<&Value> {
    seen.capture.of("dns").map(|event| &event["dns"]).collect()
}

/// The connect or the datagrams that the messages belong to.
fn cookies(seen: &Seen) -> Vec<&Value> {
    let events = seen.capture.events.iter();
    events
        .filter(|event| event["socket"]["port"] == 53)
        .map(|event| &event["socket"])
        .collect()
}

#[test]
fn a_question_and_its_answer_are_told_however_they_travel() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    for servers in [V4, V6] {
        for how in ["udp-connected", "udp-sendto", "tcp"] {
            let seen = asks(servers, how, "WWW.example", &["1", "28"]);
            seen.complete();
            let server: std::net::IpAddr = servers[0].parse().unwrap();
            let server = std::net::SocketAddr::new(server, 53).to_string();
            let messages = messages(&seen);
            let asker = &seen.capture.of("exec").last().expect("an exec")["actor"]["pid"];
            for (id, kind, address) in [(1, 1, "198.18.0.7"), (2, 28, "2001:db8::7")] {
                let of_this: Vec<_> = messages.iter().filter(|dns| dns["id"] == id).collect();
                let [question, answer] = of_this.as_slice() else {
                    panic!(
                        "{how}: {} messages with id {id}\n{messages:#?}",
                        of_this.len()
                    );
                };
                for dns in [question, answer] {
                    assert_eq!(dns["server"], server, "{how}: {dns}");
                    assert_eq!(
                        dns["question"],
                        json!({"name": "www.example", "kind": kind}),
                        "{how}: {dns}"
                    );
                    let socket = cookies(&seen)[0];
                    assert_eq!(dns["cookie"], socket["cookie"], "{how}: {dns}");
                    assert_eq!(dns["netns"], socket["netns"], "{how}: {dns}");
                }
                assert_eq!(question["response"], false, "{how}");
                assert_eq!(answer["response"], true, "{how}");
                assert_eq!(
                    answer["answers"],
                    json!([{"name": "www.example", "ttl": 60, "address": address}]),
                    "{how}"
                );
            }
            assert_eq!(messages.len(), 4, "{how}: {messages:#?}");
            for event in seen.capture.of("dns") {
                assert_eq!(&event["actor"]["pid"], asker, "{how}: {event}");
            }
        }
    }
}

#[test]
fn aliases_truncation_and_long_answers_are_told() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    let seen = asks(V4, "udp-connected", "alias.example", &["1"]);
    seen.complete();
    assert_eq!(
        messages(&seen)[1]["answers"],
        json!([
            {"name": "alias.example", "ttl": 60, "alias": "real.example"},
            {"name": "real.example", "ttl": 60, "address": "198.18.0.7"},
        ])
    );
    let seen = asks(V4, "udp-connected", "many.example", &["1"]);
    seen.complete();
    assert_eq!(messages(&seen)[1]["truncated"], true, "{seen:?}");
    let seen = asks(V4, "tcp", "many.example", &["28"]);
    seen.complete();
    let answers = messages(&seen)[1]["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 31, "{seen:?}");
}

#[test]
fn an_answer_from_another_server_than_the_one_asked_is_told_as_that() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    let seen = asks(V4, "udp-sendto", "elsewhere.example", &["1"]);
    seen.complete();
    let servers: Vec<_> = messages(&seen).iter().map(|dns| &dns["server"]).collect();
    assert_eq!(
        servers,
        [&json!("45.33.32.156:53"), &json!("45.33.32.157:53")]
    );
}

#[test]
fn what_is_no_message_or_not_in_one_segment_is_counted() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::alone();
    let seen = asks(V4, "udp-connected", "noise.example", &["1"]);
    assert_eq!(messages(&seen).len(), 1, "{seen:?}");
    assert_eq!(
        seen.report["completeness"]["lost_by_kind"]["dns"], 1,
        "{seen:?}"
    );
    let seen = asks(V4, "tcp-in-parts", "www.example", &["1"]);
    assert_eq!(messages(&seen).len(), 0, "{seen:?}");
    assert_eq!(
        seen.report["completeness"]["lost_by_kind"]["dns"], 1,
        "{seen:?}"
    );
}

#[test]
fn a_socket_that_a_watched_process_asks_nothing_from_is_not_looked_into() {
    need!(require::live(), require::programs(&["ip", "nsenter"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let network = NetworkNamespace::with_addresses(&V4);
    let mut line = network.enter();
    let script = "import socket\n\
                  a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                  b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                  a.bind(('45.33.32.156', 5353))\n\
                  b.sendto(b'x' * 40, ('45.33.32.156', 5353))\n\
                  a.recv(99)\n";
    line.extend(["/usr/bin/python3", "-c", script].map(str::to_owned));
    let seen = Watched::run(&scratch, line).finish();
    seen.ended_with(0).complete();
    assert_eq!(messages(&seen).len(), 0, "{seen:?}");
}
