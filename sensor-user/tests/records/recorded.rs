//! A recorded folder, and the program over it.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use pkgwarden::alert::report::Report;
use pkgwarden::alert::schema::Alert;
use pkgwarden::health::{Code, Health};
use pkgwarden::state::{Entry, Limits, Record, Store};
use serde_json::{Value, json};

pub(crate) const HOUR: i64 = 60 * 60 * 1_000_000_000;
pub(crate) const ALERT: &str = "c2b1f0d4-1f7e-5c3a-9a53-5f1f8f0a6b11";
pub(crate) const OTHER: &str = "c2b1f0d4-9a53-5c3a-9a53-5f1f8f0a6b12";
pub(crate) const INSTALL: &str = "5d0c4d0e-8f0a-5c2b-9a0d-9e8f0b0e7c1a";

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond().try_into().unwrap()
}

pub(crate) fn time(at: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(at.into()).unwrap();
    format!("{time:.9}")
}

pub(crate) fn alert_json(id: &str, level: &str, at: i64) -> Value {
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

pub(crate) fn completeness(complete: bool) -> Value {
    json!({"generated": 9, "delivered": 9, "filtered": 0, "in_flight": 0, "lost": 0, "hooks": [],
           "started_late": !complete, "complete": complete})
}

pub(crate) fn alert(id: &str, level: &str, at: i64) -> Entry {
    let alert: Alert = serde_json::from_value(alert_json(id, level, at)).unwrap();
    Entry {
        owner: 1001,
        at,
        record: Record::Alert(Box::new(alert)),
    }
}

pub(crate) fn session(complete: bool, at: i64) -> Entry {
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

pub(crate) fn gap(at: i64) -> Entry {
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

pub(crate) fn store(entries: &[Entry]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), entries);
    folder
}

pub(crate) fn append(dir: &Path, entries: &[Entry]) {
    let (mut store, _) = Store::open(dir, Limits::default()).unwrap();
    store.append(entries).unwrap();
}

/// Two alerts, one that was silenced, one of two days ago, and their session.
pub(crate) fn usual() -> tempfile::TempDir {
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

pub(crate) fn pkgwarden(folder: &tempfile::TempDir, words: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("pkgwarden"));
    command.env_clear().current_dir("/");
    command.args(words).arg("--state").arg(folder.path());
    command.output().unwrap()
}

pub(crate) fn shown(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn levels(text: &str) -> Vec<String> {
    let alerts = text.lines().map(|line| serde_json::from_str(line).unwrap());
    alerts
        .map(|alert: Value| alert["level"].as_str().unwrap().to_owned())
        .collect()
}
