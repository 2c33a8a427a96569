//! The verbs over what a daemon recorded, in a folder that the test makes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command as Process, Output, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use pkgwarden::alert::report::Report;
use pkgwarden::alert::schema::Alert;
use pkgwarden::health::{Code, Health};
use pkgwarden::state::{Entry, Limits, Record, Store};
use serde_json::{Value, json};

const HOUR: i64 = 60 * 60 * 1_000_000_000;
const ALERT: &str = "c2b1f0d4-1f7e-5c3a-9a53-5f1f8f0a6b11";
const OTHER: &str = "c2b1f0d4-9a53-5c3a-9a53-5f1f8f0a6b12";
const INSTALL: &str = "5d0c4d0e-8f0a-5c2b-9a0d-9e8f0b0e7c1a";

fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond().try_into().unwrap()
}

fn time(at: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(at.into()).unwrap();
    format!("{time:.9}")
}

fn alert_json(id: &str, level: &str, at: i64) -> Value {
    let host = json!({"name": "ci-7", "id": "m", "boot_id": "b"});
    let user = json!({"name": "runner", "id": 1001});
    json!({
        "schema": "pkgwarden.alert/1", "id": id, "time": time(at), "host": host,
        "sensor": {"version": "0.1.0", "rules_sha256": "5f"},
        "detection_branch": "MaliciousLibraryC2Callback",
        "level": level, "confidence": "high", "title": "Library calls back",
        "summary": format!("evil@1.0 connected to 203.0.113.7:4444 ({level})"),
        "rule": {"id": "r", "title": "Library calls back", "level": level, "file": "f.yml",
                 "tags": []},
        "evidence": {"event": "connect", "fields": {}, "matched": [], "observed": "kernel"},
        "process": {"pid": 7, "entity_id": "e7", "start": time(at), "executable": "/usr/bin/node",
                    "args": ["node", "x.js"], "working_directory": "/app", "user": user},
        "ancestry": [], "scope": ["install"],
        "install": {"id": INSTALL, "installer": "npm", "command": "npm ci",
                    "working_directory": "/app", "started": time(at), "user": user},
        "destination": {"ip": "203.0.113.7", "port": 4444, "resolved": "no", "class": "public",
                        "outcome": "attempted"},
        "network": {"transport": "tcp"},
        "ci": {"system": "github", "run_id": "42", "job": "build"},
        "completeness": completeness(true), "response": ["Stop the job."],
        "row": {"Timestamp": time(at), "DeviceName": "ci-7", "AccountName": "runner",
                "DetectionBranch": "MaliciousLibraryC2Callback", "SubjectProcess": "node",
                "SubjectCmdLine": format!("node {level}.js"), "ParentProcess": "sh",
                "ParentCmdLine": "sh"},
    })
}

fn completeness(complete: bool) -> Value {
    json!({"generated": 9, "delivered": 9, "filtered": 0, "in_flight": 0, "lost": 0, "hooks": [],
           "started_late": !complete, "complete": complete})
}

fn alert(id: &str, level: &str, at: i64) -> Entry {
    let alert: Alert = serde_json::from_value(alert_json(id, level, at)).unwrap();
    Entry {
        owner: 1001,
        at,
        record: Record::Alert(Box::new(alert)),
    }
}

fn session(complete: bool, at: i64) -> Entry {
    let alert = alert_json(ALERT, "high", at);
    let report: Report = serde_json::from_value(json!({
        "schema": "pkgwarden.session/1", "command": ["npm", "ci"], "ci": alert["ci"],
        "installs": [alert["install"]], "packages": [], "alerts_by": {"level": {"high": 1},
        "branch": {}}, "processes": 3, "connections": [{"ip": "203.0.113.7", "port": 4444,
        "transport": "tcp", "class": "public", "outcome": "refused", "count": 3}],
        "files_outside_project": [], "alerts": [ALERT], "repeats": {ALERT: 2}, "suppressed": {},
        "still_running": [], "completeness": completeness(complete),
        "started": time(at - HOUR / 60), "ended": time(at),
    }))
    .unwrap();
    Entry {
        owner: 1001,
        at,
        record: Record::Session(Box::new(report)),
    }
}

fn gap(at: i64) -> Entry {
    let health = Health::new(
        Default::default(),
        time(at),
        Code::DaemonGap,
        "the daemon was not running for 5 minutes".to_owned(),
        None,
    );
    Entry {
        owner: 0,
        at,
        record: Record::Health(Box::new(health)),
    }
}

fn store(entries: &[Entry]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), entries);
    folder
}

fn append(dir: &Path, entries: &[Entry]) {
    let (mut store, _) = Store::open(dir, Limits::default()).unwrap();
    store.append(entries).unwrap();
}

/// Two alerts, one that was silenced, one of two days ago, and their session.
fn usual() -> tempfile::TempDir {
    let now = now();
    let mut silenced = alert("51e0ced0", "medium", now - 2 * HOUR);
    let Record::Alert(mut quiet) = silenced.record else {
        unreachable!()
    };
    quiet.evidence.suppressed_by = Some("internal registry".into());
    silenced.record = Record::Suppressed(quiet);
    store(&[
        alert("01d", "critical", now - 48 * HOUR),
        alert(OTHER, "low", now - 3 * HOUR),
        silenced,
        alert(ALERT, "high", now - HOUR),
        session(true, now - HOUR / 2),
    ])
}

fn pkgwarden(folder: &tempfile::TempDir, words: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("pkgwarden"));
    command.env_clear().current_dir("/");
    command.args(words).arg("--state").arg(folder.path());
    command.output().unwrap()
}

fn shown(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn levels(text: &str) -> Vec<String> {
    let alerts = text.lines().map(|line| serde_json::from_str(line).unwrap());
    alerts
        .map(|alert: Value| alert["level"].as_str().unwrap().to_owned())
        .collect()
}

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

#[test]
fn the_gate_is_0_86_or_87() {
    let now = now();
    let gate = |entries: &[Entry], more: &[&str]| {
        let words = [&["check", "--fail-on", "high"], more].concat();
        let output = pkgwarden(&store(entries), &words);
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text)
    };
    let clean = [alert(ALERT, "medium", now), session(true, now)];
    let (status, text) = gate(&clean, &[]);
    assert_eq!(status, 0, "{text}");
    assert!(text.starts_with("CLEAN no alert of level high"), "{text}");

    let (status, text) = gate(&[alert(ALERT, "high", now), session(true, now)], &[]);
    assert_eq!(status, 86, "{text}");
    assert!(
        text.contains(&format!("pkgwarden explain {ALERT}")),
        "{text}"
    );

    let (status, text) = gate(&[session(false, now)], &[]);
    assert_eq!(status, 87, "{text}");
    assert!(text.contains("the watch began after it"), "{text}");

    let (status, text) = gate(&[session(true, now - HOUR), gap(now)], &[]);
    assert_eq!(status, 87, "{text}");
    assert!(
        text.contains("the daemon was not running for 5 minutes"),
        "{text}"
    );

    // Findings before what may be missing.
    assert_eq!(
        gate(&[alert(ALERT, "high", now), session(false, now)], &[]).0,
        86
    );
}

#[test]
fn the_gate_looks_only_at_what_it_was_told_to() {
    let now = now();
    let folder = store(&[
        alert(ALERT, "high", now - 48 * HOUR),
        session(true, now - 48 * HOUR),
    ]);
    let status = |more: &[&str]| {
        let words = [&["check", "--fail-on", "high"], more].concat();
        pkgwarden(&folder, &words).status.code().unwrap()
    };
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&["--since", "3d"]), 86);
    assert_eq!(status(&["--session", INSTALL]), 86);
    assert_eq!(status(&["--session", "another"]), 87);
    assert_eq!(status(&["--since", "3d", "--run-id", "42"]), 86);
    assert_eq!(
        status(&["--since", "3d", "--run-id", "42", "--job", "build"]),
        86
    );
    assert_eq!(
        status(&["--since", "3d", "--run-id", "42", "--job", "lint"]),
        87
    );
    assert_eq!(status(&["--since", "3d", "--run-id", "4"]), 87);
    assert_eq!(status(&["--job", "build"]), 64);
    assert_eq!(pkgwarden(&folder, &["check"]).status.code(), Some(64));
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
