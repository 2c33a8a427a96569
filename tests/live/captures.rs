//! Replay: the same alerts from a recorded capture, and captures that are not what they should be.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tests::{Scratch, Seen, Turn, Watched, fixture, need, pkgwarden, require};

fn replay(capture: &Path) -> Output {
    Command::new(pkgwarden())
        .args(["replay", "--min-level", "medium"])
        .arg(capture)
        .output()
        .unwrap()
}

/// A run that raised at least one alert.
fn recorded(scratch: &Scratch) -> Seen {
    let archive = fixture::npm_archive(scratch, "recon-postinstall");
    let seen = Watched::run(scratch, ["npm", "install", &archive, "--offline"]).finish();
    seen.ended_with(0);
    assert!(!seen.alerts.is_empty(), "{seen:?}");
    seen
}

#[test]
fn a_replayed_capture_gives_the_same_alerts_byte_for_byte() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = recorded(&scratch);
    let output = replay(&seen.capture_file);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8(bytes.to_vec())
            .unwrap()
            .lines()
            .filter(|line| line.contains("\"pkgwarden.alert/1\""))
            .map(str::to_owned)
            .collect()
    };
    let (live, replayed) = (lines(&seen.raw_alerts), lines(&output.stdout));
    assert_eq!(live.len(), replayed.len(), "{output:?}");
    for (live, replayed) in live.iter().zip(&replayed) {
        assert_eq!(live, replayed);
    }
}

/// Replay fails, with one sentence that holds these words.
fn refused(scratch: &Scratch, content: &[u8], words: &[&str]) {
    let file = scratch.write("bad.ndjson", content);
    let output = replay(&file);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output
            .status
            .code()
            .is_some_and(|code| code != 0 && code != 101),
        "{:?}: {stderr}",
        output.status
    );
    for word in words {
        assert!(stderr.contains(word), "no word of {word:?} in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_torn_capture_is_refused_at_its_last_line() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let whole = fs::read(recorded(&scratch).capture_file).unwrap();
    let torn = &whole[..whole.len() - 40];
    let line = torn.split(|&b| b == b'\n').count();
    refused(&scratch, torn, &["bad.ndjson", &line.to_string()]);
}

#[test]
fn a_capture_of_a_later_version_is_refused_and_names_it() {
    let scratch = Scratch::new();
    refused(
        &scratch,
        b"{\"schema\":\"pkgwarden.capture/2\"}\n",
        &["bad.ndjson", "pkgwarden.capture/2"],
    );
}

#[test]
fn what_is_no_capture_is_refused() {
    let scratch = Scratch::new();
    refused(&scratch, b"{\"some\":\"json\"}\n{}\n", &["bad.ndjson"]);
    refused(&scratch, b"", &["bad.ndjson"]);
    refused(
        &scratch,
        b"\x7fELF\x02\x01\x01\0\0\xff\xfe\n\n",
        &["bad.ndjson"],
    );
}

#[test]
fn a_capture_with_an_unknown_event_is_refused_at_its_line() {
    let scratch = Scratch::new();
    refused(
        &scratch,
        b"{\"schema\":\"pkgwarden.capture/1\"}\n{\"time\":1,\"cpu\":0,\"sequence\":1,\"event\":\"teleport\"}\n",
        &["bad.ndjson", "2"],
    );
}
