//! The daemon whose disk is full, read-only or damaged: it alerts all the same, says what is wrong, and
//! no gate passes on what was not kept.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tests::mounts::SmallDisk;
use tests::{Alert, Background, Daemon, Scratch, Turn, fixture, need, pkgwarden, require};

const NONE: [&str; 0] = [];
const SPAWNED: &str = "PackageInstallSpawnedSuspiciousProcess";

/// Installs a package whose postinstall has this word in it; the alert about it.
fn raise(scratch: &Scratch, daemon: &Daemon, word: &str) -> Alert {
    let archive = fixture::npm_archive_that_runs(scratch, &format!("id > /dev/null; : {word}"));
    Background::start(scratch, ["npm", "install", &archive, "--offline"]).succeeds();
    let project = scratch.project();
    daemon.alert(word, |alert| {
        alert.branch() == SPAWNED
            && Path::new(alert.text("/install/working_directory")) == project
            && alert.command_lines().iter().any(|line| line.contains(word))
    })
}

/// Asks the daemon of this test.
fn ask(scratch: &Scratch, words: &[&str]) -> Output {
    let control: OsString = scratch.out().join("control").into();
    Command::new(pkgwarden())
        .args(words)
        .env("PKGWARDEN_CONTROL", control)
        .output()
        .unwrap()
}

/// The gate on one session is closed, for a reason with these words.
#[track_caller]
fn is_incomplete(scratch: &Scratch, session: &str, words: &str) {
    let line = ["check", "--fail-on", "critical", "--session", session];
    let output = ask(scratch, &line);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(87), "{output:?}");
    let flat: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(words), "{said}");
}

#[test]
fn a_full_disk_keeps_nothing_and_what_is_missing_is_told_once_there_is_room() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let disk = SmallDisk::at(&scratch.out().join("state"), "4M");
    let daemon = Daemon::start(&scratch, NONE);
    raise(&scratch, &daemon, "there-is-room");
    disk.fill();
    let unkept = raise(&scratch, &daemon, "no-room");
    daemon.health_that("output_failing", |cause| cause.contains("no room left"));
    is_incomplete(&scratch, unkept.text("/install/id"), "were not kept");
    disk.empty();
    raise(&scratch, &daemon, "room-again");
    let lost = daemon.health_that("records_lost", |cause| cause.contains("were not kept"));
    assert!(lost["since"].as_str().is_some(), "{lost}");
    // It is in the store by now, and so it stays known.
    is_incomplete(&scratch, unkept.text("/install/id"), "were not kept");
    let shown = ask(&scratch, &["alerts", "--format", "json"]);
    let shown = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.contains("there-is-room") && shown.contains("room-again"));
    assert!(!shown.contains(": no-room"));
    assert!(shown.contains("records_lost"));
    daemon.stop();
}

#[test]
fn a_disk_that_turned_read_only_is_told_and_alerts_go_on() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let disk = SmallDisk::at(&scratch.out().join("state"), "4M");
    disk.read_only(true);
    let daemon = Daemon::start(&scratch, NONE);
    daemon.health_that("output_failing", |cause| cause.contains("read-only"));
    let alert = raise(&scratch, &daemon, "read-only");
    is_incomplete(&scratch, alert.text("/install/id"), "not kept");
    disk.read_only(false);
    raise(&scratch, &daemon, "writable");
    daemon.health_that("records_lost", |cause| cause.contains("were not kept"));
    daemon.stop();
}

#[test]
fn a_store_of_a_later_version_is_left_alone_and_one_that_is_damaged_is_named() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch, NONE);
    raise(&scratch, &daemon, "first");
    daemon.stop();
    let first = scratch.out().join("state/log-00000001.ndjson");
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&first, &bytes).unwrap();
    let later = scratch.out().join("state/log-00000002.ndjson");
    let json = r#"{"format":"pkgwarden.state/9","more":true}"#;
    let line = format!("{:08x} {json}\n", crc32(json.as_bytes()));
    fs::write(&later, &line).unwrap();
    let daemon = Daemon::start(&scratch, NONE);
    daemon.health_that("output_failing", |cause| {
        cause.contains("pkgwarden.state/9")
    });
    let alert = raise(&scratch, &daemon, "second");
    daemon.session(alert.text("/install/id"), |_| true);
    assert_eq!(fs::read_to_string(&later).unwrap(), line);
    // Whoever reads it is told which line can't be.
    let shown = ask(&scratch, &["alerts", "--format", "json"]);
    let said = String::from_utf8_lossy(&shown.stderr);
    assert!(said.contains("log-00000001"), "{said}");
    assert!(String::from_utf8_lossy(&shown.stdout).contains(": second"));
    daemon.stop();
}

/// Of IEEE 802.3, a bit at a time: there is one line.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}
