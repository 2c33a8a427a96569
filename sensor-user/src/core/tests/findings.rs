//! Repeats, limits, trust, completeness, and what the report counts.

use super::{play, play_with};
use crate::alert::schema::{Alert, EventWord, Outcome};
use crate::event::stage::{Stage, place};
use crate::event::{Body, Count, Counters, Operations, ProcessKey, UringOperation};
use crate::health::Code;

fn python() -> (Stage, ProcessKey) {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    let args = ["python", "app.py"];
    stage.exec(root, "/usr/bin/python3.11", &args, "/home/dev/app", &[]);
    (stage, root)
}

fn counters(delivered: u64, received: u64, lost: u64) -> Body {
    let count = Count {
        generated: delivered + lost + 5,
        delivered,
        filtered: 5,
        lost,
        received,
    };
    Body::Counters(Counters {
        kinds: [("connect".to_owned(), count)].into(),
        ..Counters::default()
    })
}

#[test]
fn a_repeat_is_counted_and_not_sent_again() {
    let (mut stage, python) = python();
    for _ in 0..3 {
        stage.connect(python, "9.9.9.9", 4444, 111);
    }
    stage.connect(python, "::ffff:9.9.9.9", 4444, 111);
    stage.connect(python, "9.9.9.9", 4445, 111);
    let outcome = play(&stage);
    assert_eq!(outcome.alerts.len(), 2);
    let first = &outcome.alerts[0];
    assert_eq!(outcome.report.repeats.get(&first.id), Some(&3));
    assert_eq!(outcome.report.alerts.len(), 2);
    assert_eq!(outcome.report.alerts_by.level["high"], 2);
    let branch = &outcome.report.alerts_by.branch;
    assert_eq!(branch["MaliciousLibraryC2Callback"], 2);
}

#[test]
fn a_storm_of_one_rule_ends_in_one_alert_that_counts_on() {
    let (mut stage, python) = python();
    for port in 2000..2100 {
        stage.connect(python, "9.9.9.9", port, 111);
    }
    let outcome = play(&stage);
    assert_eq!(outcome.alerts.len(), 51);
    let last = outcome.alerts.last().unwrap();
    assert_eq!(last.level_reasons.len(), 1);
    assert_eq!(outcome.report.repeats.get(&last.id), Some(&49));
    assert!(outcome.alerts[49].level_reasons.is_empty());
}

#[test]
fn a_trusted_network_raises_no_callback_and_keeps_its_class() {
    let (mut stage, python) = python();
    stage.connect(python, "9.9.9.9", 4444, 0);
    stage.connect(python, "169.254.169.254", 80, 0);
    let outcome = play_with(&stage, &["0.0.0.0/0"]);
    assert_eq!(outcome.titles(), ["Metadata Service Asked"]);
    assert_eq!(outcome.suppressed.len(), 1);
    let suppressed = &outcome.suppressed[0];
    assert_eq!(suppressed.evidence.suppressed_by.as_deref(), Some("trust"));
    assert_eq!(suppressed.destination.as_ref().unwrap().class, "public");
    assert_eq!(outcome.report.suppressed["trust"], 1);
    assert_eq!(outcome.report.connections.len(), 2);
}

#[test]
fn a_program_made_to_load_other_code_says_so_and_the_users_own_choice_does_not() {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    let own = "LD_LIBRARY_PATH=/opt/lib";
    for (port, second) in [(1, own), (2, "LD_PRELOAD=./x.so")] {
        let environment = &[own, second];
        let args = ["python", "app.py"];
        stage.exec(
            root,
            "/usr/bin/python3.11",
            &args,
            "/home/dev/app",
            environment,
        );
        stage.connect(root, "9.9.9.9", port, 0);
    }
    let outcome = play(&stage);
    let says = |alert: &Alert| alert.evidence.fields.contains_key("ImageInjected");
    assert_eq!(
        outcome.alerts.iter().map(says).collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn the_outcome_of_a_connect_replaces_the_attempt() {
    let (mut stage, python) = python();
    let actor = stage.actor(python);
    stage.connect(python, "10.0.0.1", 5432, 0);
    stage.connect(python, "10.0.0.1", 5432, 0);
    stage.connect(python, "10.0.0.1", 5432, 111);
    // Not decided yet, then it is.
    stage.connect(python, "10.0.0.2", 5432, 115);
    stage.push(Body::ConnectResult {
        actor,
        errno: 0,
        cookie: 0,
    });
    stage.connect(python, "10.0.0.3", 5432, 115);
    // A result without a connect is nobody's.
    let other = crate::event::Actor { tid: 9, ..actor };
    stage.push(Body::ConnectResult {
        actor: other,
        errno: 0,
        cookie: 0,
    });
    let report = play(&stage).report;
    let seen: Vec<_> = report
        .connections
        .iter()
        .map(|c| (c.ip.as_deref().unwrap(), c.outcome, c.count))
        .collect();
    assert_eq!(
        seen,
        [
            ("10.0.0.1", Outcome::Connected, 2),
            ("10.0.0.1", Outcome::Refused, 1),
            ("10.0.0.2", Outcome::Connected, 1),
            ("10.0.0.3", Outcome::Attempted, 1),
        ]
    );
}

#[test]
fn a_file_renamed_into_place_is_as_good_as_written_there() {
    let (mut stage, python) = python();
    let actor = stage.actor(python);
    let (from, to) = (place("/tmp/x"), place("/home/dev/.bashrc"));
    stage.push(Body::Rename {
        actor,
        from: from.clone(),
        to: to.clone(),
        errno: 13,
    });
    assert!(play(&stage).alerts.is_empty());
    stage.push(Body::Rename {
        actor,
        from,
        to,
        errno: 0,
    });
    let outcome = play(&stage);
    assert_eq!(outcome.titles(), ["Start-Up File Written"]);
    let alert = &outcome.alerts[0];
    assert_eq!(alert.evidence.event, EventWord::Rename);
    assert_eq!(alert.evidence.fields["FileOperation"], "rename");
    assert_eq!(outcome.report.files_outside_project, ["/home/dev/.bashrc"]);
}

#[test]
fn a_program_made_ready_elsewhere_is_executable_where_it_is_renamed_to() {
    let (mut stage, python) = python();
    let actor = stage.actor(python);
    let (from, to) = (place("/tmp/x"), place("/home/dev/.config/systemd/user/x"));
    stage.push(Body::Chmod {
        actor,
        place: from.clone(),
        mode: 0o755,
        errno: 0,
    });
    stage.push(Body::Rename {
        actor,
        from,
        to,
        errno: 0,
    });
    let alert = &play(&stage).alerts[0];
    assert_eq!(alert.evidence.fields["FileExecutable"], "true");
    assert_eq!(alert.file.as_ref().unwrap().mode.as_deref(), Some("0755"));
}

#[test]
fn an_existing_file_opened_for_both_is_read_and_written() {
    let (mut stage, python) = python();
    let both = Operations::READ | Operations::WRITE;
    stage.open(python, "/home/dev/.bashrc", both, 0);
    stage.open(python, "/x/Cookies", both, 0);
    stage.open(python, "/y/Cookies", both | Operations::CREATE, 0);
    stage.open(python, "/z/.bashrc", Operations::WRITE, 13);
    let outcome = play(&stage);
    assert_eq!(
        outcome.titles(),
        ["Start-Up File Written", "Browser Store Opened"]
    );
}

#[test]
fn io_uring_is_seen_and_degrades_the_session() {
    let (mut stage, python) = python();
    let actor = stage.actor(python);
    stage.push(Body::IoUring {
        actor,
        operation: UringOperation::Open,
        place: Some(place("/home/dev/Cookies")),
    });
    let outcome = play(&stage);
    assert_eq!(outcome.titles(), ["Browser Store Opened"]);
    let alert = &outcome.alerts[0];
    assert_eq!(alert.evidence.event, EventWord::IoUring);
    assert!(!alert.completeness.complete);
    assert_eq!(alert.completeness.degraded.len(), 1);
    assert_eq!(outcome.codes(), [Code::IoUringUsed]);
    assert!(!outcome.report.completeness.complete);
}

#[test]
fn loss_makes_incomplete_what_was_open_and_nothing_that_began_later() {
    let (mut stage, python) = python();
    stage.push(counters(100, 100, 0));
    stage.connect(python, "9.9.9.9", 1, 0);
    stage.push(counters(200, 190, 7));
    stage.connect(python, "9.9.9.9", 2, 0);
    // The next batch: its snapshot comes before its events.
    stage.push(counters(250, 240, 7));
    let args = ["python", "/usr/bin/pip", "install", "x"];
    let pip = stage.spawn(python, "/usr/bin/python3.11", &args, "/home/dev/app", &[]);
    stage.connect(pip, "9.9.9.9", 3, 0);
    let outcome = play(&stage);
    let [before, after, install] = &outcome.alerts[..] else {
        panic!("three alerts");
    };
    assert!(before.completeness.complete);
    assert_eq!(before.completeness.generated, 105);
    let lost = &after.completeness;
    assert!(!lost.complete);
    assert_eq!((lost.lost, lost.lost_by_kind["connect"]), (7, 7));
    assert_eq!(
        lost.generated,
        lost.delivered + lost.filtered + lost.in_flight + lost.lost
    );
    assert!(install.completeness.complete);
    assert!(!outcome.report.completeness.complete);
    assert_eq!(outcome.codes(), [Code::EventsLost]);
}

#[test]
fn a_lineage_that_begins_with_an_act_was_running_before_the_watch() {
    let (mut stage, _) = python();
    let late = ProcessKey { pid: 7, start: 7 };
    stage.root = late;
    stage.connect(late, "9.9.9.9", 4444, 0);
    let outcome = play(&stage);
    assert!(outcome.alerts[0].completeness.started_late);
    assert!(!outcome.alerts[0].completeness.complete);
    assert_eq!(outcome.codes(), [Code::StartedLate]);
}

#[test]
fn a_process_whose_fork_was_lost_shows_that_something_was() {
    let (mut stage, python) = python();
    let child = stage.fork(python);
    stage.events.pop();
    stage.connect(child, "9.9.9.9", 4444, 0);
    let outcome = play(&stage);
    assert!(!outcome.alerts[0].completeness.complete);
    assert!(outcome.alerts[0].completeness.degraded[0].contains("not seen"));
}

#[test]
fn those_left_running_are_named() {
    let (mut stage, python) = python();
    let left = stage.spawn(python, "/usr/bin/sleep", &["sleep", "9"], "/", &[]);
    let gone = stage.spawn(python, "/usr/bin/true", &["true"], "/", &[]);
    stage.exit(gone);
    stage.exit(python);
    stage.push(Body::CommandEnded {
        root: python,
        status: 0,
    });
    let report = play(&stage).report;
    let running: Vec<_> = report.still_running.iter().map(|p| p.pid).collect();
    assert_eq!(running, [left.pid]);
    assert_eq!(report.processes, 3);
}

#[test]
fn a_container_is_named_once_its_record_came() {
    let (mut stage, python) = python();
    stage.push(Body::Container {
        cgroup: 77,
        id: "0f1e".into(),
        runtime: "podman".into(),
        name: None,
        image: Some("debian:12".into()),
    });
    stage.connect(python, "9.9.9.9", 4444, 0);
    let alert = &play(&stage).alerts[0];
    assert_eq!(alert.container.as_ref().unwrap().id, "0f1e");
    assert_eq!(alert.evidence.fields["ContainerImage"], "debian:12");
}
