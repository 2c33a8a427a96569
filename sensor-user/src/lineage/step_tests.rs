//! CI workers and the steps they make.

use super::*;
use crate::event::Body;
use crate::event::stage::Stage;

const WORKER: &str = "/home/ci/actions-runner/bin/Runner.Worker";
const NPM: &[&str] = &["node", "/usr/bin/npm", "ci"];
const HOME: &str = "/home/ci/_work/app";

fn play(lineage: &mut Lineage, stage: &Stage) {
    for event in &stage.events {
        match &event.body {
            Body::Fork { actor, child } => lineage.fork(actor, *child, event.time),
            Body::Exec { actor, exec } => {
                lineage.exec(actor, exec, event.time);
            }
            Body::Exit { actor, .. } => lineage.exit(actor, event.time),
            Body::Open { actor, .. } => {
                lineage.acting(actor, event.time);
            }
            _ => {}
        }
    }
}

fn played(stage: &Stage) -> Lineage {
    let mut lineage = Lineage::default();
    play(&mut lineage, stage);
    lineage
}

fn worker() -> (Stage, ProcessKey) {
    let mut stage = Stage::daemon();
    let worker = stage.lineage();
    stage.exec(worker, WORKER, &["Runner.Worker", "spawnclient"], "/", &[]);
    (stage, worker)
}

fn bash(stage: &mut Stage, parent: ProcessKey) -> ProcessKey {
    let args = ["bash", "-e", "/home/ci/_work/_temp/1.sh"];
    stage.spawn(parent, "/usr/bin/bash", &args, HOME, &[])
}

fn scope(lineage: &Lineage, process: ProcessKey) -> Option<&'static str> {
    lineage.get(process).unwrap().context.scope()
}

fn session(lineage: &Lineage, process: ProcessKey) -> ProcessKey {
    lineage.get(process).unwrap().root
}

#[test]
fn each_child_of_a_worker_is_a_step_and_a_session_of_its_own() {
    let (mut stage, worker) = worker();
    let (first, second) = (bash(&mut stage, worker), bash(&mut stage, worker));
    let curl = stage.spawn(first, "/usr/bin/curl", &["curl"], HOME, &[]);
    let lineage = played(&stage);
    assert_eq!(scope(&lineage, worker), None);
    for step in [first, second, curl] {
        assert_eq!(scope(&lineage, step), Some("|ci_step|"));
    }
    assert_eq!(session(&lineage, worker), worker);
    assert_eq!(session(&lineage, first), first);
    assert_eq!(session(&lineage, curl), first);
    assert_eq!(session(&lineage, second), second);
    assert_eq!(lineage.get(curl).unwrap().lineage, worker);
    assert_eq!(lineage.alive(Some(worker)).len(), 4);
}

#[test]
fn installs_and_library_code_in_a_step_have_both_scopes_in_the_contracts_order() {
    let (mut stage, worker) = worker();
    let step = bash(&mut stage, worker);
    let npm = stage.spawn(step, "/usr/bin/node", NPM, HOME, &[]);
    let python = stage.spawn(step, "/usr/bin/python3.11", &["python3"], HOME, &[]);
    let both = stage.spawn(python, "/usr/bin/node", NPM, HOME, &[]);
    let lineage = played(&stage);
    assert_eq!(scope(&lineage, npm), Some("|install|ci_step|"));
    assert_eq!(scope(&lineage, python), Some("|runtime|ci_step|"));
    assert_eq!(scope(&lineage, both), Some("|install|runtime|ci_step|"));
    let scopes = lineage.get(both).unwrap().context.scopes();
    use crate::alert::schema::Scope;
    assert_eq!(scopes, [Scope::Install, Scope::Runtime, Scope::CiStep]);
    assert_eq!(session(&lineage, npm), step);
}

#[test]
fn a_double_fork_and_a_dead_parent_leave_a_process_in_its_step() {
    let (mut stage, worker) = worker();
    let step = bash(&mut stage, worker);
    let middle = stage.fork(step);
    let daemon = stage.fork(middle);
    stage.exit(middle);
    stage.exit(step);
    stage.exec(daemon, "/usr/bin/sleep", &["sleep", "9"], "/tmp", &[]);
    let lineage = played(&stage);
    assert_eq!(scope(&lineage, daemon), Some("|ci_step|"));
    assert_eq!(session(&lineage, daemon), step);
}

#[test]
fn a_step_that_forks_before_it_starts_a_program_is_one_step() {
    let (mut stage, worker) = worker();
    let step = stage.fork(worker);
    let below = stage.fork(step);
    stage.exec(below, "/usr/bin/git", &["git"], HOME, &[]);
    let lineage = played(&stage);
    assert_eq!(session(&lineage, below), step);
}

#[test]
fn a_worker_in_name_only_takes_nothing_away_from_what_package_code_is_part_of() {
    let mut stage = Stage::daemon();
    for (args, alone, below) in [
        (NPM, "|install|", "|install|ci_step|"),
        (&["node", "app.js"], "|runtime|", "|runtime|ci_step|"),
    ] {
        let root = stage.lineage();
        stage.exec(root, "/usr/bin/node", args, HOME, &[]);
        let fake = "/home/ci/_work/app/node_modules/x/Runner.Worker";
        let worker = stage.spawn(root, fake, &["x"], HOME, &[]);
        let child = bash(&mut stage, worker);
        let lineage = played(&stage);
        assert_eq!(scope(&lineage, worker), Some(alone));
        assert_eq!(scope(&lineage, child), Some(below));
        assert_eq!(session(&lineage, child), root, "the session stays whole");
        let install = |key| lineage.get(key).unwrap().context.install.clone();
        assert_eq!(install(child), install(root));
    }
}

#[test]
fn a_worker_started_in_a_step_begins_no_step() {
    let (mut stage, worker) = worker();
    let step = bash(&mut stage, worker);
    let agent = stage.spawn(step, "/tmp/gitlab-runner", &["x"], HOME, &[]);
    let child = bash(&mut stage, agent);
    let lineage = played(&stage);
    assert_eq!(session(&lineage, child), step);
    assert_eq!(scope(&lineage, child), Some("|ci_step|"));
}

#[test]
fn a_worker_below_the_agents_own_node_begins_steps() {
    let mut stage = Stage::daemon();
    let service = stage.lineage();
    let node = "/srv/ci/externals/node20/bin/node";
    let args = ["node", "./bin/RunnerService.js"];
    stage.exec(service, node, &args, "/srv/ci", &[]);
    let listener = "/srv/ci/bin/Runner.Listener";
    let listener = stage.spawn(service, listener, &["Runner.Listener"], "/srv/ci", &[]);
    let worker = "/srv/ci/bin/Runner.Worker";
    let worker = stage.spawn(listener, worker, &["Runner.Worker"], "/srv/ci", &[]);
    let step = bash(&mut stage, worker);
    let action = stage.spawn(worker, node, &["node", "dist/index.js"], HOME, &[]);
    let lineage = played(&stage);
    for outside in [service, listener, worker] {
        assert_eq!(scope(&lineage, outside), None);
    }
    assert_eq!(session(&lineage, step), step);
    assert_eq!(session(&lineage, action), action);
    assert_eq!(scope(&lineage, action), Some("|ci_step|"));
}

#[test]
fn what_was_lost_of_a_step_does_not_take_its_scope() {
    let (mut stage, worker) = worker();
    let step = bash(&mut stage, worker);
    let silent = stage.fork(worker);
    stage.open(silent, "/x", crate::event::Operations::READ, 0);
    let below = stage.spawn(step, "/usr/bin/curl", &["curl"], HOME, &[]);
    stage.events.retain(|event| {
        !matches!(&event.body, Body::Fork { child, .. } if [step, silent, below].contains(child))
    });
    let lineage = played(&stage);
    assert_eq!(lineage.forks_missed(), 3);
    for process in [step, silent, below] {
        assert_eq!(scope(&lineage, process), Some("|ci_step|"));
    }
    assert_eq!(session(&lineage, below), step);
}

#[test]
fn a_fork_that_is_told_late_puts_a_process_into_its_step() {
    let (mut stage, worker) = worker();
    let step = bash(&mut stage, worker);
    let below = stage.fork(step);
    stage.open(below, "/x", crate::event::Operations::READ, 0);
    let last = stage.events.len() - 1;
    stage.events.swap(last, last - 1);
    let lineage = played(&stage);
    assert_eq!(lineage.forks_missed(), 0);
    assert_eq!(session(&lineage, below), step);
    assert!(lineage.has_root(step));
}

#[test]
fn what_a_step_exports_is_its_authors_choice_and_what_its_packages_export_is_not() {
    let (mut stage, worker) = worker();
    let step = bash(&mut stage, worker);
    let preload = ["NODE_OPTIONS=--require /x.js"];
    let npm = stage.spawn(step, "/usr/bin/node", NPM, HOME, &preload);
    let own = ["NODE_OPTIONS=--require /y.js"];
    let script = stage.spawn(npm, "/usr/bin/node", &["node", "x.js"], HOME, &own);
    let lineage = played(&stage);
    let injected = |key| {
        let process: &Process = lineage.get(key).unwrap();
        let first = process.context.loading.as_ref().unwrap();
        process.image().unwrap().loading.differs_from(first)
    };
    assert!(!injected(npm));
    assert!(injected(script));
}

#[test]
fn ten_thousand_steps_below_one_worker_leave_nothing_behind() {
    let (mut stage, worker) = worker();
    let mut lineage = played(&stage);
    for _ in 0..10_000 {
        stage.events.clear();
        let step = bash(&mut stage, worker);
        let child = stage.spawn(step, "/usr/bin/make", &["make"], HOME, &[]);
        stage.exit(child);
        stage.exit(step);
        play(&mut lineage, &stage);
    }
    assert!(lineage.processes.len() <= REMEMBERED_MOST + 2);
    assert!(lineage.roots.len() <= REMEMBERED_MOST + 2);
    stage.pass(REMEMBERED + 1);
    let last = bash(&mut stage, worker);
    play(&mut lineage, &stage);
    assert_eq!((lineage.processes.len(), lineage.roots.len()), (2, 2));
    assert_eq!(session(&lineage, last), last);
}
