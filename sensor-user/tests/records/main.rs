//! The verbs over what a daemon recorded, in a folder that the test makes.

mod gate;
mod recorded;

use std::io::{BufRead, BufReader};
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use pkgwarden::state::Record;
use recorded::*;
use serde_json::Value;

#[test]
fn alerts_are_those_of_the_last_day_newest_first() {
    let folder = usual();
    let json = |more: &[&str]| {
        let words = [&["alerts", "--format", "json"], more].concat();
        levels(&shown(&pkgwarden(&folder, &words)))
    };
    assert_eq!(json(&[]), ["high", "low"]);
    assert_eq!(json(&["--suppressed"]), ["high", "medium", "low"]);
    assert_eq!(json(&["--since", "3d"]), ["high", "low", "critical"]);
    assert_eq!(json(&["--since", "90m"]), ["high"]);
    assert_eq!(
        json(&["--since", "3d", "--level", "high"]),
        ["high", "critical"]
    );
}

#[test]
fn a_recorded_alert_is_the_same_json_as_when_it_was_sent() {
    let at = now();
    let folder = store(&[alert(ALERT, "high", at)]);
    let line = shown(&pkgwarden(&folder, &["alerts", "--format", "json"]));
    let found: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(found, alert_json(ALERT, "high", at));
}

#[test]
fn text_is_for_people_and_the_table_has_the_original_columns() {
    let folder = usual();
    let text = shown(&pkgwarden(&folder, &["alerts", "--suppressed"]));
    assert!(
        text.starts_with("pkgwarden HIGH evil@1.0 connected"),
        "{text}"
    );
    assert_eq!(text.matches("\n\npkgwarden ").count(), 2, "{text}");
    assert!(text.contains("suppressed internal registry"), "{text}");
    assert!(text.contains(" UTC, on ci-7"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let table = shown(&pkgwarden(&folder, &["alerts", "--format", "table"]));
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).collect();
    let columns: Vec<&str> = rows[0]
        .split_whitespace()
        .filter(|word| *word != "|")
        .collect();
    assert_eq!(
        columns.join(" "),
        "Timestamp DeviceName AccountName DetectionBranch SubjectProcess SubjectCmdLine ParentProcess ParentCmdLine"
    );
    assert!(rows[1].contains("node high.js") && rows[2].contains("node low.js"));
}

#[test]
fn nothing_recorded_is_said_and_is_no_failure() {
    let folder = store(&[gap(now() - 48 * HOUR)]);
    for verb in ["alerts", "sessions"] {
        let output = pkgwarden(&folder, &[verb]);
        assert_eq!(shown(&output), "");
        assert!(said(&output).contains(" is recorded since "), "{output:?}");
        assert_eq!(said(&pkgwarden(&folder, &[verb, "--format", "json"])), "");
    }
}

#[test]
fn a_time_that_is_none_is_wrong_usage_and_says_what_to_type() {
    let folder = usual();
    for verb in ["alerts", "sessions", "check"] {
        let output = pkgwarden(&folder, &[verb, "--since", "yesterday"]);
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        let said = said(&output);
        assert!(said.contains("give a duration (30m, 2h"), "{said}");
    }
}

#[test]
fn a_missing_or_wrong_folder_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no\x1b[2J");
    for (verb, status) in [("alerts", 1), ("sessions", 1), ("check", 87)] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("pkgwarden"));
        command.arg(verb).arg("--state").arg(&missing);
        if verb == "check" {
            command.args(["--fail-on", "high"]);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert_eq!(output.stdout, b"");
        let said = said(&output);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("there is no store at /"), "{said}");
        assert!(
            said.contains("no\\x1b[2J") && !said.contains('\x1b'),
            "{said}"
        );
    }
}

#[test]
fn damage_is_told_beside_what_could_be_read() {
    let folder = usual();
    let path = folder.path().join("log-00000001.ndjson");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let output = pkgwarden(&folder, &["alerts", "--format", "json"]);
    assert_eq!(levels(&shown(&output)), ["high", "low"]);
    assert!(said(&output).contains("log-00000001.ndjson: lines that are damaged"));
    let output = pkgwarden(&folder, &["check", "--fail-on", "critical"]);
    assert_eq!(output.status.code(), Some(87), "{output:?}");
}

#[test]
fn a_session_is_shown_once_as_it_was_told_last() {
    let now = now();
    let folder = store(&[session(false, now - HOUR), session(true, now)]);
    let text = shown(&pkgwarden(&folder, &["sessions"]));
    assert_eq!(text.matches("FINDINGS npm ci").count(), 1, "{text}");
    assert!(!text.contains("unseen"), "{text}");
    assert!(text.contains("203.0.113.7:4444 refused ×3"), "{text}");
    let json = shown(&pkgwarden(&folder, &["sessions", "--format", "json"]));
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["installs"][0]["id"], INSTALL);
}

#[test]
fn an_alert_is_explained_by_its_id_with_what_became_of_it() {
    let folder = usual();
    for id in [ALERT, &ALERT[..13], &ALERT.to_uppercase()] {
        let text = shown(&pkgwarden(&folder, &["explain", id]));
        assert!(text.starts_with("HIGH evil@1.0 connected"), "{text}");
        assert!(text.contains("repeats    2, which raised no"), "{text}");
        assert!(text.contains("connections to it: 3 refused"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
    let silenced = shown(&pkgwarden(&folder, &["explain", "51e0ced0"]));
    assert!(silenced.contains("internal registry"), "{silenced}");
}

#[test]
fn an_id_that_names_none_or_several_is_told() {
    let folder = usual();
    let output = pkgwarden(&folder, &["explain", "c2b1f0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&format!("several ids: {ALERT}, {OTHER}")));
    let output = pkgwarden(&folder, &["explain", "aaaaaaaa"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no alert aaaaaaaa is recorded here"));
}

#[test]
fn a_planted_file_can_not_take_the_place_of_a_recorded_alert() {
    let folder = usual();
    let project = tempfile::tempdir().unwrap();
    std::fs::write(
        project.path().join(ALERT),
        alert_json(ALERT, "low", 0).to_string(),
    )
    .unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("pkgwarden"));
    command.current_dir(project.path());
    command
        .args(["explain", ALERT, "--state"])
        .arg(folder.path());
    assert!(shown(&command.output().unwrap()).starts_with("HIGH "));
}

/// Ends the process, however the test ends.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn alerts_are_followed_as_they_come() {
    let now = now();
    let folder = store(&[alert("01d", "low", now - HOUR), alert("02d", "low", now)]);
    let child = Process::new(assert_cmd::cargo::cargo_bin("pkgwarden"))
        .args([
            "alerts", "-f", "--since", "30m", "--format", "json", "--state",
        ])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut next = || -> String {
        let alert: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        alert["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "02d");
    append(folder.path(), &[alert("03d", "low", now)]);
    assert_eq!(next(), "03d");
    std::thread::sleep(Duration::from_millis(300));
    append(
        folder.path(),
        &[alert("04d", "low", now), alert("05d", "low", now)],
    );
    assert_eq!((next(), next()), ("04d".to_owned(), "05d".to_owned()));
}

#[test]
fn hostile_texts_reach_the_terminal_as_escapes_only() {
    let hostile = "x\n::error::y \x1b[2J ##[z] \u{202e}";
    let mut entry = alert(ALERT, "high", now());
    if let Record::Alert(alert) = &mut entry.record {
        alert.summary = hostile.to_owned();
        alert.process.args = vec![hostile.to_owned()];
        alert.row.subject_cmd_line = hostile.to_owned();
        alert.host.name = hostile.to_owned();
    }
    let mut ended = session(true, now());
    if let Record::Session(report) = &mut ended.record {
        report.installs[0].command = hostile.to_owned();
        report.files_outside_project = vec![hostile.to_owned()];
    }
    let folder = store(&[entry, ended]);
    for words in [
        &["alerts"][..],
        &["alerts", "--format", "json"],
        &["alerts", "--format", "table"],
        &["sessions"],
        &["sessions", "--format", "json"],
        &["explain", ALERT],
        &["check", "--fail-on", "high"],
    ] {
        let text = String::from_utf8(pkgwarden(&folder, words).stdout).unwrap();
        assert!(!text.contains(['\x1b', '\u{202e}']), "{words:?} {text}");
        assert!(!text.contains("##["), "{words:?} {text}");
        assert!(text.contains("error::y"), "{words:?} {text}");
        let is_command = |line: &str| line.trim_start().starts_with("::");
        assert!(!text.lines().any(is_command), "{words:?} {text}");
    }
}
