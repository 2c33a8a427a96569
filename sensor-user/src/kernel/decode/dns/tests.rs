//! Packets written by hand, and packets of chance.

use proptest::prelude::*;
use sensor_ebpf::abi::{Header, kind};
use zerocopy::{FromZeros, IntoBytes};

use super::*;
use crate::event::Event;

/// The header of a message: id 7, these flags, one question, so many answers.
fn header(flags: u16, answers: u16) -> Vec<u8> {
    let words = [7, flags, 1, answers, 0, 0];
    words.into_iter().flat_map(u16::to_be_bytes).collect()
}

/// A name as labels.
fn name(labels: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in labels {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A name of a type, in the class IN.
fn question(labels: &[&str], kind: u16) -> Vec<u8> {
    [&name(labels)[..], &kind.to_be_bytes(), &[0, 1]].concat()
}

/// A record that lives for a minute.
fn answer(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    [
        name,
        &kind.to_be_bytes(),
        &[0, 1],
        &[0, 0, 0, 60],
        &length.to_be_bytes(),
        data,
    ]
    .concat()
}

/// A pointer to a byte of the message; the first question's name begins at 12.
fn pointer(at: u16) -> [u8; 2] {
    (0xc000 | at).to_be_bytes()
}

fn parsed(parts: &[&[u8]]) -> DnsMessage {
    message(&parts.concat(), false).expect("a message")
}

fn told(message: &DnsMessage) -> Vec<(Text, DnsData)> {
    let answers = message.answers.iter();
    answers.map(|a| (a.name.clone(), a.data.clone())).collect()
}

#[test]
fn a_question_has_its_name_in_lower_case_and_its_type() {
    let asked = parsed(&[
        &header(0x0100, 0),
        &question(&["WWW", "Example", "org"], 28),
    ]);
    assert_eq!((asked.id, asked.response, asked.code), (7, false, 0));
    let question = asked.question.expect("a question");
    assert_eq!(
        (question.name, question.kind),
        ("www.example.org".into(), 28)
    );
}

#[test]
fn compressed_answers_are_told_with_whole_names() {
    let answer_a = answer(&pointer(12), 1, &[192, 0, 2, 1]);
    let v6 = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap();
    let answer_v6 = answer(&pointer(12), 28, &v6.octets());
    let message = parsed(&[
        &header(0x8180, 2),
        &question(&["a", "example"], 1),
        &answer_a,
        &answer_v6,
    ]);
    assert!(message.response && !message.truncated);
    assert_eq!(message.answers[0].ttl, 60);
    let v4 = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(
        told(&message),
        [
            ("a.example".into(), DnsData::Address(v4)),
            ("a.example".into(), DnsData::Address(v6.into())),
        ]
    );
}

#[test]
fn a_chain_of_aliases_is_told_link_by_link() {
    // The alias's first label, then a pointer to `example` in the question.
    let alias = [b"\x03cdn".as_slice(), &pointer(14)].concat();
    let question = question(&["a", "example"], 1);
    let first = answer(&pointer(12), 5, &alias);
    let at = (12 + question.len() + first.len() - alias.len()) as u16;
    let second = answer(&pointer(at), 1, &[192, 0, 2, 2]);
    let message = parsed(&[&header(0x8180, 2), &question, &first, &second]);
    assert_eq!(
        told(&message),
        [
            ("a.example".into(), DnsData::Alias("cdn.example".into())),
            (
                "cdn.example".into(),
                DnsData::Address(IpAddr::from([192, 0, 2, 2]))
            ),
        ]
    );
}

#[test]
fn a_truncated_answer_says_so_and_tells_what_it_has() {
    let whole = answer(&pointer(12), 1, &[192, 0, 2, 1]);
    let bytes = [
        &header(0x8180, 2)[..],
        &question(&["a", "example"], 1),
        &whole,
        &whole[..9],
    ]
    .concat();
    assert_eq!(message(&bytes, false), None, "a message that ends early");
    let seen = message(&bytes, true).expect("one that was longer than what is kept");
    assert!(seen.truncated);
    assert_eq!(seen.answers.len(), 1);
    let cut = parsed(&[&header(0x8380, 0), &question(&["a", "example"], 1)]);
    assert!(cut.truncated);
}

#[test]
fn a_record_that_nobody_knows_does_not_hide_the_address_beside_it() {
    let message = parsed(&[
        &header(0x8180, 3),
        &question(&["a", "example"], 1),
        &answer(&pointer(12), 65, b"\xff\xff\xff"),
        &answer(&pointer(12), 16, b"\x09wrong"),
        &answer(&pointer(12), 1, &[192, 0, 2, 1]),
    ]);
    let data: Vec<_> = message.answers.into_iter().map(|a| a.data).collect();
    let v4 = DnsData::Address(IpAddr::from([192, 0, 2, 1]));
    assert_eq!(data, [DnsData::Other(3), DnsData::Other(6), v4]);
}

#[test]
fn a_dot_inside_a_label_is_no_boundary() {
    let asked = parsed(&[
        &header(0x0100, 0),
        &question(&["evil.trusted", "example"], 1),
    ]);
    let name = asked.question.expect("a question").name;
    assert_eq!(name, r"evil\046trusted.example".into());
}

#[test]
fn a_name_that_points_at_itself_or_onwards_is_refused() {
    for at in [12, 13, 30] {
        let bytes = [&header(0x0100, 0)[..], &pointer(at), &[0, 1, 0, 1, 0, 0, 0]].concat();
        assert_eq!(message(&bytes, false), None, "a pointer to {at}");
    }
}

/// As the probe writes a packet.
fn packet(sent: bool, protocol: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new_zeroed();
    packet.header = Header::new_zeroed();
    packet.header.kind = kind::DNS;
    (packet.asked_family, packet.peer_family) = (2, 2);
    packet.asked[..4].copy_from_slice(&[127, 0, 0, 53]);
    packet.peer[..4].copy_from_slice(&[192, 0, 2, 53]);
    (packet.asked_port, packet.peer_port) = (53, 5353);
    packet.protocol = protocol;
    packet.sent = sent.into();
    packet.length = payload.len() as u32;
    packet.total = packet.length;
    [packet.as_bytes(), payload, b"of an earlier record"].concat()
}

fn events(bytes: &[u8]) -> Option<Vec<Dns>> {
    let events = dns(bytes)?.into_iter().map(|record| match record {
        Record::Event(Event {
            body: Body::Dns { dns, .. },
            ..
        }) => *dns,
        other => panic!("not a message: {other:?}"),
    });
    Some(events.collect())
}

#[test]
fn a_question_is_for_whom_the_process_asked_and_an_answer_from_where_it_came() {
    let asked = [&header(0x0100, 0)[..], &question(&["a"], 1)].concat();
    let answered = [&header(0x8180, 0)[..], &question(&["a"], 1)].concat();
    let question = events(&packet(true, 17, &asked)).expect("a question");
    assert_eq!(question[0].server.to_string(), "127.0.0.53:53");
    let answer = events(&packet(false, 17, &answered)).expect("an answer");
    assert_eq!(answer[0].server.to_string(), "192.0.2.53:5353");
    // Nobody is told anything by what he sends.
    assert!(events(&packet(true, 17, &answered)).is_none());
    assert!(events(&packet(false, 17, &asked)).is_none());
}

#[test]
fn two_questions_in_one_segment_are_two_events() {
    let mut segment = Vec::new();
    for kind in [1, 28] {
        let asked = [&header(0x0100, 0)[..], &question(&["a"], kind)].concat();
        segment.extend((asked.len() as u16).to_be_bytes());
        segment.extend(asked);
    }
    let both = events(&packet(true, TCP, &segment)).expect("two questions");
    let kinds: Vec<_> = both
        .iter()
        .map(|dns| dns.message.question.as_ref().expect("a question").kind)
        .collect();
    assert_eq!(kinds, [1, 28]);
    assert!(events(&packet(true, TCP, &segment[..segment.len() - 1])).is_none());
}

/// As many bytes as names and data can be that a packet leads to.
fn size(message: &DnsMessage) -> usize {
    let answers = message.answers.iter().map(|answer| {
        answer.name.as_bytes().len()
            + match &answer.data {
                DnsData::Alias(name) => name.as_bytes().len(),
                _ => 0,
            }
    });
    answers.sum()
}

/// Bytes among which those that mean something are frequent.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(0u8),
        Just(0xc0),
        Just(12),
        Just(1),
        Just(5),
        Just(28),
        0u8..64,
        any::<u8>(),
    ];
    proptest::collection::vec(byte, 0..2048)
}

proptest! {
    /// Whatever comes in gives a message or none, and none that is much bigger than the packet.
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in bytes(), is_cut: bool) {
        if let Some(message) = message(&bytes, is_cut) {
            // The smallest record has 13 bytes and two names of up to 255, whose dots take four each.
            prop_assert!(message.answers.len() * 11 <= bytes.len());
            prop_assert!(size(&message) <= message.answers.len() * 2 * 4 * 255);
        }
    }

    /// Likewise where the header leads on to the answers.
    #[test]
    fn any_answers_are_parsed_or_refused(rest in bytes(), answers: u16, tcp: bool, sent: bool) {
        let whole = [&header(0x8180, answers)[..], &question(&["a"], 1), &rest].concat();
        let _ = message(&whole, true);
        let _ = dns(&packet(sent, if tcp { TCP } else { 17 }, &whole));
    }

    /// What is cut anywhere tells no more than the whole.
    #[test]
    fn a_cut_message_tells_no_more_than_the_whole(at in 0usize..100) {
        let whole = [
            &header(0x8180, 3)[..],
            &question(&["a", "example"], 1),
            &answer(&pointer(12), 1, &[192, 0, 2, 1]),
            &answer(&pointer(12), 5, &pointer(14)),
            &answer(&pointer(14), 1, &[192, 0, 2, 2]),
        ]
        .concat();
        let all = told(&message(&whole, false).expect("a message"));
        if let Some(part) = message(&whole[..at.min(whole.len())], true) {
            prop_assert!(all.starts_with(&told(&part)));
        }
    }
}
