//! The file, and whom a client takes for the daemon.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::*;
use crate::control::client::ClientError;

#[test]
fn what_a_dead_daemon_left_is_replaced_and_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/control");
    let first = Socket::bind(&path).unwrap();
    let refused = Socket::bind(&path).unwrap_err();
    assert!(matches!(refused, BindError::Taken { .. }), "{refused}");
    assert!(refused.to_string().contains("systemctl stop"), "{refused}");
    drop(first);
    assert!(!path.exists(), "the file goes with the socket");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left by one that was killed");
    let again = Socket::bind(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    match again.note() {
        Some(note) => {
            assert_eq!(mode, 0o600);
            assert!(note.contains("only root"), "{note}");
        }
        None => assert_eq!(mode, 0o660),
    }
    // One that came later is not removed by the end of this one.
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(again);
    assert!(path.exists());
}

#[test]
fn a_file_in_its_place_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    fs::write(&path, "mine").unwrap();
    let refused = Socket::bind(&path).unwrap_err();
    assert!(matches!(refused, BindError::NotASocket { .. }), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_daemon_that_is_not_there_is_told_from_one_that_is_closed_or_false() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let own = geteuid().as_raw();
    let connect = || Client::connect_to(&path, own).unwrap_err();
    assert!(connect().is_absent());
    drop(UnixListener::bind(&path).unwrap());
    assert!(connect().is_absent(), "nobody listens");
    let _listener = UnixListener::bind(path.with_extension("2")).unwrap();
    fs::rename(path.with_extension("2"), &path).unwrap();
    let false_one = Client::connect_to(&path, own + 1).unwrap_err();
    assert!(
        matches!(&false_one, ClientError::NotTrusted { .. }),
        "{false_one}"
    );
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let open = connect();
    assert!(matches!(&open, ClientError::NotTrusted { .. }), "{open}");
    assert!(open.to_string().contains("others than root"), "{open}");
}

#[test]
fn a_client_does_not_wait_for_ever_for_one_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let _listener = UnixListener::bind(&path).unwrap();
    // Nobody accepts: the queue fills.
    let mut waiting = Vec::new();
    let refused = loop {
        match Client::connect_to(&path, geteuid().as_raw()) {
            Ok(client) if waiting.len() < 10_000 => waiting.push(client),
            Ok(_) => panic!("the queue never fills"),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, ClientError::Silent), "{refused}");
}
