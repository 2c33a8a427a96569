//! The verbs over a daemon's socket; the test is the daemon, so it must be root.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Output;
use std::thread::JoinHandle;

use assert_cmd::Command;
use pkgwarden::state::Entry;
use serde_json::{Value, json};

use crate::recorded::*;

/// Gives one answer to each connection, in their order.
struct Daemon {
    folder: tempfile::TempDir,
    thread: JoinHandle<Vec<Value>>,
}

impl Daemon {
    fn new(answers: Vec<String>) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIP: clients trust root's socket only");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("control")).unwrap();
        let thread = std::thread::spawn(move || {
            let answer = |answer: String| answered(listener.accept().unwrap().0, &answer);
            answers.into_iter().map(answer).collect()
        });
        Some(Self { folder, thread })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    fn ask(&self, words: &[&str]) -> Output {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("pkgwarden"));
        command.env_clear().env("PKGWARDEN_CONTROL", self.socket());
        command.current_dir("/").args(words).output().unwrap()
    }

    /// What it was asked.
    fn requests(self) -> Vec<Value> {
        self.thread.join().unwrap()
    }
}

fn answered(stream: UnixStream, answer: &str) -> Value {
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    (&stream).write_all(answer.as_bytes()).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn lines(entries: &[Entry], end: &Value) -> String {
    let entries = entries.iter().map(|entry| json!(entry));
    let lines = entries.chain([end.clone()]);
    lines.map(|line| format!("{line}\n")).collect()
}

fn end(open: u64, troubles: &[&str]) -> Value {
    json!({"end": {"open_sessions": open, "complete": troubles.is_empty(), "troubles": troubles}})
}

#[test]
fn a_daemon_that_runs_is_asked_before_any_folder_is_read() {
    let now = now();
    let entries = [alert(ALERT, "high", now), alert(OTHER, "low", now - HOUR)];
    let answer = lines(&entries, &end(0, &["12 events were lost"]));
    let Some(daemon) = Daemon::new(vec![answer]) else {
        return;
    };
    let output = daemon.ask(&["alerts", "--format", "json", "--level", "low"]);
    assert_eq!(levels(&shown(&output)), ["high", "low"]);
    assert_eq!(said(&output), "pkgwarden: 12 events were lost\n");
    let asked = &daemon.requests()[0]["query"];
    assert_eq!(asked["drain"], false);
    assert_eq!(asked["query"]["min_level"], "low");
    assert_eq!(asked["query"]["suppressed"], false);
}

#[test]
fn the_gate_waits_for_what_is_in_flight_and_believes_the_daemon() {
    for (entries, end, status, words) in [
        (
            &[][..],
            end(2, &[]),
            0,
            "0 sessions recorded, of which 2 still run",
        ),
        (&[], end(0, &["the ring was full"]), 87, "the ring was full"),
        (
            &[alert(ALERT, "high", now())],
            end(0, &["x"]),
            86,
            "FINDINGS",
        ),
    ] {
        let Some(daemon) = Daemon::new(vec![lines(entries, &end)]) else {
            return;
        };
        let output = daemon.ask(&["check", "--fail-on", "high"]);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(words), "{text}");
        assert_eq!(daemon.requests()[0]["query"]["drain"], true);
    }
}

#[test]
fn the_gate_on_one_session_asks_from_its_begin_on() {
    let now = now();
    let answers = vec![
        lines(&[session(true, now)], &end(0, &[])),
        lines(&[session(true, now)], &end(0, &[])),
    ];
    let Some(daemon) = Daemon::new(answers) else {
        return;
    };
    let output = daemon.ask(&["check", "--fail-on", "high", "--session", INSTALL]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let begin = daemon.requests()[1]["query"]["query"]["since"].as_i64();
    assert_eq!(begin, Some(now - HOUR / 60));
}

#[test]
fn a_daemon_that_refuses_or_breaks_off_is_one_sentence() {
    for (answer, words) in [
        (
            json!({"error": "too many\u{1b}[2J"}).to_string() + "\n",
            "too many\\x1b[2J",
        ),
        (
            lines(&[alert(ALERT, "high", now())], &json!(1)),
            "can't be read",
        ),
        (String::new(), "ended too early"),
    ] {
        for (verb, status) in [(&["sessions"][..], 1), (&["check", "--fail-on", "low"], 87)] {
            let Some(daemon) = Daemon::new(vec![answer.clone()]) else {
                return;
            };
            let output = daemon.ask(verb);
            assert_eq!(output.status.code(), Some(status), "{output:?}");
            let said = said(&output);
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.contains(words), "{said}");
        }
    }
}

#[test]
fn followed_alerts_come_after_the_past_and_once() {
    let now = now();
    let entry = |id: &str, at| alert(id, "low", at);
    let following = lines(
        &[entry("02d", now - HOUR), entry("03d", now)],
        &json!({"skipped": 4}),
    );
    let answers = vec![
        format!("{}\n{following}", json!({"following": {}})),
        lines(
            &[entry("02d", now - HOUR), entry("01d", now - 2 * HOUR)],
            &end(0, &[]),
        ),
    ];
    let Some(daemon) = Daemon::new(answers) else {
        return;
    };
    let output = daemon.ask(&["alerts", "-f", "--since", "3h", "--format", "json"]);
    // The daemon stopped.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let ids: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, ["01d", "02d", "03d"]);
    assert!(
        said(&output).contains("too fast to be shown here: 4"),
        "{output:?}"
    );
}

#[test]
fn an_alert_is_explained_from_the_daemon() {
    let now = now();
    let entries = [session(true, now), alert(ALERT, "high", now - HOUR)];
    let Some(daemon) = Daemon::new(vec![lines(&entries, &end(0, &[]))]) else {
        return;
    };
    let text = shown(&daemon.ask(&["explain", &ALERT[..8]]));
    assert!(text.contains("connections to it: 3 refused"), "{text}");
}
