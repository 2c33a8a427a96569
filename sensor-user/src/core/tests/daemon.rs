//! A daemon's watch: many lineages, install sessions that are told when they are over, processes that
//! ran before it.

use super::{Outcome, play};
use crate::event::stage::{Stage, place};
use crate::event::{Body, Count, Counters, Exec, ProcessKey};
use crate::health::Code;

const SECOND: u64 = 1_000_000_000;

/// The sensor counts up to every batch, which is when sessions are looked at.
fn later(stage: &mut Stage, seconds: u64) {
    stage.pass(seconds * SECOND);
    stage.push(Body::Counters(Counters::default()));
}

fn npm(stage: &mut Stage, root: ProcessKey) {
    let args = ["node", "/usr/bin/npm", "ci"];
    stage.exec(root, "/usr/bin/node", &args, "/home/dev/app", &[]);
}

fn commands(outcome: &Outcome) -> Vec<String> {
    let sessions = outcome.sessions.iter();
    sessions.map(|report| report.command.join(" ")).collect()
}

#[test]
fn an_install_is_told_when_its_last_process_ended_with_its_own_acts_only() {
    let mut stage = Stage::daemon();
    let (first, other) = (stage.lineage(), stage.lineage());
    npm(&mut stage, first);
    let args = ["python3", "app.py"];
    stage.exec(other, "/usr/bin/python3.11", &args, "/srv", &[]);
    stage.connect(other, "9.9.9.9", 4444, 0);
    let script = stage.spawn(
        first,
        "/usr/bin/dash",
        &["sh", "-c", "id"],
        "/home/dev/app",
        &[],
    );
    stage.connect(script, "9.9.9.8", 443, 0);
    stage.exit(first);
    later(&mut stage, 1);
    assert_eq!(commands(&play(&stage)), [""; 0]);
    stage.exit(script);
    later(&mut stage, 1);
    later(&mut stage, 1);
    let outcome = play(&stage);
    assert_eq!(commands(&outcome), ["node /usr/bin/npm ci"]);
    let report = &outcome.sessions[0];
    assert_eq!(report.processes, 2);
    assert_eq!(report.installs.len(), 1);
    assert_eq!(report.connections.len(), 1);
    assert_eq!(report.connections[0].ip.as_deref(), Some("9.9.9.8"));
    assert!(report.still_running.is_empty());
    assert!(report.completeness.complete, "{:?}", report.completeness);
}

#[test]
fn what_an_installer_leaves_behind_is_named_and_told_again_if_it_acts() {
    let mut stage = Stage::daemon();
    let root = stage.lineage();
    npm(&mut stage, root);
    let left = stage.spawn(root, "/usr/bin/dash", &["sh", "miner"], "/tmp", &[]);
    stage.exit(root);
    later(&mut stage, 1);
    later(&mut stage, 11);
    let outcome = play(&stage);
    assert_eq!(outcome.sessions.len(), 1);
    assert_eq!(outcome.sessions[0].still_running[0].pid, left.pid);
    stage.connect(left, "9.9.9.9", 80, 0);
    stage.exit(left);
    later(&mut stage, 1);
    let outcome = play(&stage);
    assert_eq!(outcome.sessions.len(), 2);
    let ids: Vec<_> = outcome.sessions.iter().map(|r| &r.installs[0].id).collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(outcome.sessions[1].connections.len(), 1);
}

#[test]
fn a_session_still_open_can_be_looked_at() {
    let mut stage = Stage::daemon();
    let root = stage.lineage();
    npm(&mut stage, root);
    let outcome = play(&stage);
    assert!(outcome.sessions.is_empty());
    assert_eq!(outcome.open.len(), 1);
    assert_eq!(outcome.open[0].still_running[0].pid, root.pid);
}

fn found(stage: &mut Stage, process: ProcessKey, args: &[&str], resumed: bool) {
    let exec = Exec {
        executable: place("/usr/bin/node"),
        requested: "/usr/bin/node".into(),
        args: args.iter().map(|&arg| arg.into()).collect(),
        working_directory: "/home/dev/app".into(),
        ..Exec::default()
    };
    let actor = stage.actor(process);
    stage.push(Body::Found {
        actor,
        exec: Box::new(exec),
        parent: None,
        resumed,
        step: None,
    });
}

#[test]
fn an_install_that_ran_already_is_late_and_a_server_that_did_is_no_news() {
    let mut stage = Stage::daemon();
    let (install, server) = (stage.lineage(), stage.lineage());
    found(&mut stage, install, &["node", "/usr/bin/npm", "ci"], false);
    found(&mut stage, server, &["node", "server.js"], false);
    let script = stage.spawn(
        install,
        "/usr/bin/dash",
        &["sh", "-c", "id"],
        "/home/dev/app",
        &[],
    );
    stage.exit(script);
    stage.exit(install);
    later(&mut stage, 1);
    let outcome = play(&stage);
    assert_eq!(outcome.codes(), [Code::StartedLate]);
    assert!(
        outcome.health[0].cause.contains("npm ci"),
        "{}",
        outcome.health[0].cause
    );
    let completeness = &outcome.sessions[0].completeness;
    assert!(completeness.started_late && !completeness.complete);
}

#[test]
fn a_session_that_an_earlier_sensor_began_goes_on_and_states_the_gap() {
    let mut stage = Stage::daemon();
    let install = stage.lineage();
    found(&mut stage, install, &["node", "/usr/bin/npm", "ci"], true);
    stage.exit(install);
    later(&mut stage, 1);
    let outcome = play(&stage);
    assert!(outcome.codes().is_empty());
    let completeness = &outcome.sessions[0].completeness;
    assert!(!completeness.complete && !completeness.started_late);
    let said = completeness.degraded.join(" ");
    assert!(said.contains("not running throughout"), "{said}");
}

#[test]
fn a_thousand_sleepers_with_long_arguments_make_no_report_that_can_not_be_kept() {
    let mut stage = Stage::daemon();
    let install = stage.lineage();
    npm(&mut stage, install);
    let long = "\u{1}".repeat(8_000);
    for _ in 0..1_000 {
        let args = ["sleep", &long, &long];
        stage.spawn(install, "/usr/bin/sleep", &args, "/home/dev/app", &[]);
    }
    stage.exit(install);
    later(&mut stage, 1);
    later(&mut stage, 11);
    let outcome = play(&stage);
    let report = outcome.sessions.last().unwrap();
    assert!(report.still_running.len() < 1_000);
    let json = crate::alert::escape::json(report);
    assert!(json.len() < 1 << 20, "{} bytes", json.len());
}

#[test]
fn losses_that_were_not_told_yet_are_told_at_the_end() {
    let mut stage = Stage::daemon();
    let mut counters = Counters::default();
    for lost in [100, 150] {
        let count = Count {
            lost,
            ..Count::default()
        };
        counters.kinds.insert("open", count);
        stage.push(Body::Counters(counters.clone()));
    }
    stage.push(Body::End);
    let outcome = play(&stage);
    assert_eq!(outcome.codes(), [Code::EventsLost; 2]);
    assert!(outcome.health[1].cause.contains("150 open"));
}

#[test]
fn a_set_clock_is_health_and_a_slewed_one_is_followed_in_silence() {
    let mut stage = Stage::daemon();
    let before = stage.lineage();
    npm(&mut stage, before);
    let offset = 1_700_000_000_000_000_000;
    for wall_offset in [offset + 20_000_000, offset - 3_600 * SECOND as i64] {
        stage.push(Body::Clock { wall_offset });
    }
    let outcome = play(&stage);
    assert_eq!(outcome.codes(), [Code::ClockJump]);
    let cause = &outcome.health[0].cause;
    assert!(cause.contains("back by 3600.020 s"), "{cause}");
}
