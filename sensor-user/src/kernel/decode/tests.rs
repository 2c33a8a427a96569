use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use sensor_ebpf::abi::network;
use sensor_ebpf::abi::path as wire_path;
use zerocopy::{FromZeros, IntoBytes};

use super::network::AF_INET6;
use super::path::turn;
use super::*;
use crate::event::arguments;
use crate::event::{Observed, Text};

/// As the walk writes a path: leaf first.
fn leaf_first(path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for component in path.split('/').filter(|c| !c.is_empty()).rev() {
        bytes.extend(component.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn open_record(argument: &[u8], path: &[u8]) -> Vec<u8> {
    let mut open = file::Open::new_zeroed();
    open.header.kind = kind::OPEN;
    open.argument = argument.len() as u32;
    open.path = path.len() as u32;
    [open.as_bytes(), argument, path].concat()
}

fn place_of(record: &[u8]) -> Place {
    match decode(record, false).unwrap().remove(0) {
        Record::Event(Event {
            body: Body::Open { open, .. },
            ..
        }) => open.place,
        other => panic!("not an open: {other:?}"),
    }
}

#[test]
fn a_walked_path_is_turned_round() {
    let place = place_of(&open_record(b"", &leaf_first("/home/u/.ssh/id_rsa")));
    assert_eq!(place.path, "/home/u/.ssh/id_rsa".into());
    assert_eq!(place.observed, Observed::Kernel);
    assert_eq!(place_of(&open_record(b"", b"")).path, "/".into());
}

#[test]
fn a_path_that_was_too_long_does_not_pass_for_an_absolute_one() {
    let path = leaf_first("deep/leaf");
    let mut record = open_record(b"", &path);
    let at = std::mem::offset_of!(file::Open, path);
    record[at..at + 4].copy_from_slice(&(path.len() as u32 | wire_path::TRUNCATED).to_ne_bytes());
    let place = place_of(&record);
    assert!(place.truncated);
    assert_eq!(place.path, "deep/leaf".into());
}

#[test]
fn an_argument_stands_on_its_base_and_says_so() {
    let base = leaf_first("/srv/app");
    for (argument, base, path) in [
        ("x/./y", &base[..], "/srv/app/x/y"),
        ("../y", &base, "/srv/app/../y"),
        ("/etc//shadow", b"", "/etc/shadow"),
        ("/", b"", "/"),
    ] {
        let place = place_of(&open_record(argument.as_bytes(), base));
        assert_eq!(place.path, path.into());
        assert_eq!(place.observed, Observed::Argument);
        assert_eq!(place.argument, Some(argument.into()));
    }
}

#[test]
fn a_removal_names_what_was_passed_on_its_base() {
    let base = leaf_first("/srv/app");
    let mut removal = file::Named::new_zeroed();
    removal.header.kind = kind::UNLINK;
    removal.argument = "./setup.js".len() as u32;
    removal.path = base.len() as u32;
    let record = [removal.as_bytes(), b"./setup.js", &base].concat();
    match decode(&record, false).unwrap().remove(0) {
        Record::Event(Event {
            body: Body::Unlink { place, .. },
            ..
        }) => {
            assert_eq!(place.path, "/srv/app/setup.js".into());
            assert_eq!(place.observed, Observed::Argument);
        }
        other => panic!("not a removal: {other:?}"),
    }
}

#[test]
fn a_mapped_address_is_the_peer_it_names() {
    let mut peer = network::Peer::new_zeroed();
    peer.header.kind = kind::CONNECT;
    peer.family = u32::from(AF_INET6);
    peer.address = "::ffff:192.0.2.7".parse::<Ipv6Addr>().unwrap().octets();
    match decode(peer.as_bytes(), false).unwrap().remove(0) {
        Record::Event(Event {
            body: Body::Connect { socket, .. },
            ..
        }) => {
            assert_eq!(socket.ip, Some(Ipv4Addr::new(192, 0, 2, 7).into()));
        }
        other => panic!("not a connect: {other:?}"),
    }
}

#[test]
fn a_missing_middle_of_the_arguments_is_marked() {
    let args = arguments(b"sh\0-c\0ec", b"ho\0last\0", true);
    assert_eq!(args, ["sh", "-c", "ec…ho", "last"].map(Text::from));
    assert_eq!(arguments(b"sh\0\0", b"", false), ["sh", ""].map(Text::from));
    assert_eq!(arguments(b"", b"", false), []);
}

proptest! {
    /// A record is either decoded or refused, whatever its bytes: rings are written by us, but a
    /// decoder that trusts them turns a defect there into one here.
    #[test]
    fn any_bytes_are_decoded_or_refused(kind in 0..kind::COUNT + 2, mut bytes: Vec<u8>) {
        bytes.resize(bytes.len().max(4), 0);
        bytes[..4].copy_from_slice(&kind.to_ne_bytes());
        let _ = decode(&bytes, true);
    }

    /// Likewise with a header and lengths that lead somewhere.
    #[test]
    fn any_section_lengths_are_decoded_or_refused(
        kind in 0..kind::COUNT,
        words in proptest::collection::vec(0u32..600, 0..400),
    ) {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.resize(bytes.len().max(4), 0);
        bytes[..4].copy_from_slice(&kind.to_ne_bytes());
        let _ = decode(&bytes, false);
    }

    #[test]
    fn turning_a_path_round_loses_nothing(components in proptest::collection::vec("[^/\0]{1,20}", 0..50)) {
        let path = format!("/{}", components.join("/"));
        prop_assert_eq!(turn(&leaf_first(&path), false), path.as_str().into());
    }
}
