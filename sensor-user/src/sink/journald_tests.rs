//! Sends to a socket of the test's own and reads the native protocol back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IoSliceMut, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;

use nix::cmsg_space;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg};

use super::*;
use crate::alert::sample;
use crate::health::Code;
use crate::sink::MESSAGE_BYTES;
use crate::sink::native::Socket;

/// What journald would have got: the fields, and whether they came in a memfd.
struct Received {
    fields: BTreeMap<String, String>,
    by_memfd: bool,
}

struct Reader {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("socket")).unwrap();
        Self { socket, folder }
    }

    fn send(&self, record: Record<'_>) {
        let socket = Socket::new(&self.folder.path().join("socket")).unwrap();
        socket.send(&entry(record)).unwrap();
    }

    fn receive(&self) -> Received {
        let mut bytes = vec![0; 1 << 20];
        let mut space = cmsg_space!(RawFd);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let message = recvmsg::<UnixAddr>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )
        .unwrap();
        let length = message.bytes;
        let fd = message.cmsgs().unwrap().find_map(|control| match control {
            ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
            _ => None,
        });
        match fd {
            None => Received {
                fields: parse(&bytes[..length]),
                by_memfd: false,
            },
            Some(fd) => {
                assert_eq!(length, 0, "journald wants nothing beside the file");
                Received {
                    fields: parse(&read_sealed(fd)),
                    by_memfd: true,
                }
            }
        }
    }
}

/// Reads it from its start, through a second descriptor: the sender's offset is at the end.
fn read_sealed(fd: RawFd) -> Vec<u8> {
    let mut file = File::open(format!("/proc/self/fd/{fd}")).unwrap();
    nix::unistd::close(fd).unwrap();
    let seals = fcntl(&file, FcntlArg::F_GET_SEALS).unwrap();
    assert_eq!(
        SealFlag::from_bits_truncate(seals),
        SealFlag::F_SEAL_SHRINK
            | SealFlag::F_SEAL_GROW
            | SealFlag::F_SEAL_WRITE
            | SealFlag::F_SEAL_SEAL
    );
    let mut data = Vec::new();
    file.read_to_end(&mut data).unwrap();
    data
}

/// The protocol as systemd documents it, both forms of a field.
fn parse(mut data: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !data.is_empty() {
        let end = data.iter().position(|&b| b == b'\n').unwrap();
        let (line, rest) = (&data[..end], &data[end + 1..]);
        let (name, value) = match line.iter().position(|&b| b == b'=') {
            Some(at) => {
                data = rest;
                (&line[..at], &line[at + 1..])
            }
            None => {
                let (length, rest) = rest.split_at(8);
                let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
                assert_eq!(rest[length], b'\n');
                data = &rest[length + 1..];
                (line, &rest[..length])
            }
        };
        let name = String::from_utf8(name.to_vec()).unwrap();
        assert!(
            name.len() <= 64
                && name
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
            "{name}"
        );
        let value = String::from_utf8(value.to_vec()).unwrap();
        assert!(fields.insert(name, value).is_none());
    }
    fields
}

#[test]
fn a_small_alert_is_one_datagram_with_every_field_of_the_contract() {
    let reader = Reader::new();
    let alert = sample::postinstall();
    reader.send(Record::Alert(&alert));
    let mut received = reader.receive();
    assert!(!received.by_memfd);
    let whole = received.fields.remove("PKGWARDEN_ALERT").unwrap();
    assert_eq!(serde_json::from_str::<Alert>(&whole).unwrap(), alert);
    received.fields.remove("MESSAGE").unwrap();
    insta::assert_json_snapshot!(received.fields);
}

#[test]
fn a_callback_is_found_by_its_destination_and_a_container_by_its_id() {
    let reader = Reader::new();
    reader.send(Record::Alert(&sample::callback()));
    assert_eq!(
        reader.receive().fields["PKGWARDEN_DESTINATION"],
        "203.0.113.7:4444"
    );
    reader.send(Record::Alert(&sample::credential()));
    let fields = reader.receive().fields;
    assert_eq!(fields["PKGWARDEN_CONTAINER_ID"], "4f2d".repeat(16));
    assert_eq!(
        fields["PKGWARDEN_PATH"],
        "/home/u/.config/google-chrome/Default/Login Data"
    );
}

#[test]
fn an_alert_beyond_the_datagram_limit_arrives_whole_in_a_sealed_memfd() {
    let reader = Reader::new();
    let mut alert = sample::postinstall();
    alert.process.args = (0..8).map(|_| "x".repeat(30 << 10)).collect();
    crate::alert::limit::cap(&mut alert);
    reader.send(Record::Alert(&alert));
    let received = reader.receive();
    assert!(received.by_memfd);
    assert!(received.fields["MESSAGE"].len() <= MESSAGE_BYTES);
    assert_eq!(
        serde_json::from_str::<Alert>(&received.fields["PKGWARDEN_ALERT"]).unwrap(),
        alert
    );
}

#[test]
fn a_path_with_newlines_forges_no_field() {
    let reader = Reader::new();
    let mut alert = sample::credential();
    alert.file.as_mut().unwrap().path = "/x\nPRIORITY=0\n_UID=0\n".into();
    reader.send(Record::Alert(&alert));
    let fields = reader.receive().fields;
    assert_eq!(fields["PRIORITY"], "3");
    assert_eq!(fields["PKGWARDEN_PATH"], "/x\\nPRIORITY=0\\n_UID=0\\n");
    assert!(!fields.contains_key("_UID"));
}

#[test]
fn health_has_its_code_and_no_branch() {
    let reader = Reader::new();
    reader.send(Record::Health(&sample::health()));
    insta::assert_json_snapshot!(reader.receive().fields);
}

/// MESSAGE_ID, subject and text of each entry of the shipped catalog.
fn catalog() -> BTreeMap<String, String> {
    include_str!("../../../packaging/catalog/pkgwarden.catalog")
        .split("\n-- ")
        .skip(1)
        .map(|entry| {
            let (id, text) = entry.split_once('\n').unwrap();
            (
                id.to_owned(),
                text.split_whitespace().collect::<Vec<_>>().join(" "),
            )
        })
        .collect()
}

#[test]
fn every_message_id_is_explained_in_the_catalog_and_no_other() {
    let catalog = catalog();
    let branches = [
        Branch::PackageInstallSpawnedSuspiciousProcess,
        Branch::MaliciousLibraryC2Callback,
        Branch::PackageInstallerDroppedExecutable,
        Branch::CredentialStoreAccess,
    ];
    for code in Code::ALL {
        let text = &catalog[&format!("{:032x}", code.message_id())];
        assert!(text.contains(code.name()), "{text}");
        assert!(text.contains(code.sentence()), "{text}");
        assert!(text.contains(code.action()), "{text}");
    }
    for branch in branches {
        let text = &catalog[&format!("{:032x}", branch_message_id(branch))];
        assert!(text.contains("@PKGWARDEN_SUMMARY@"), "{text}");
    }
    assert_eq!(catalog.len(), Code::ALL.len() + branches.len());
}

/// journalctl replaces `@FIELD@` by the entry's; where the entry has none, the name would stand there.
#[test]
fn the_catalog_names_only_fields_that_every_alert_has() {
    let reader = Reader::new();
    let mut alert = sample::callback();
    alert.destination = None;
    reader.send(Record::Alert(&alert));
    let sent = reader.receive().fields;
    for text in catalog().values() {
        for field in text.split('@').skip(1).step_by(2) {
            assert!(sent.contains_key(field), "{field}");
        }
    }
}
