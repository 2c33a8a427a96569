//! Steps of CI jobs: each is a session, however long the worker above it runs.

use super::{Outcome, core, play};
use crate::alert::schema::Scope;
use crate::core::Finding;
use crate::event::stage::{Stage, place};
use crate::event::{Body, Counters, Exec, Operations, ProcessKey};

const WORKER: &str = "/usr/bin/gitlab-runner";
const STORE: &str = "/home/ci/.config/google-chrome/Default/Login Data";

fn worker(stage: &mut Stage) -> ProcessKey {
    let worker = stage.lineage();
    stage.exec(worker, WORKER, &["gitlab-runner", "run"], "/", &[]);
    worker
}

fn step(stage: &mut Stage, worker: ProcessKey) -> ProcessKey {
    stage.spawn(
        worker,
        "/usr/bin/bash",
        &["bash", "--login"],
        "/builds/a",
        &[],
    )
}

fn found(stage: &mut Stage, process: ProcessKey, root: ProcessKey, program: &str) {
    let mut actor = stage.actor(process);
    actor.root = root;
    stage.push(Body::Found {
        actor,
        exec: Box::new(Exec {
            executable: place(program),
            args: vec![program.into()],
            ..Exec::default()
        }),
        parent: (process != root).then_some(root),
        resumed: false,
        step: None,
    });
}

fn theft(stage: &mut Stage, process: ProcessKey) {
    let cat = stage.spawn(process, "/usr/bin/cat", &["cat", STORE], "/builds/a", &[]);
    stage.open(cat, STORE, Operations::READ, 0);
    stage.exit(cat);
}

fn sessions(outcome: &Outcome) -> Vec<&str> {
    let alerts = outcome.alerts.iter();
    alerts
        .map(|alert| &*alert.ancestry.last().unwrap().entity_id)
        .collect()
}

#[test]
fn the_same_act_in_two_steps_is_two_alerts_with_the_steps_scope() {
    let mut stage = Stage::daemon();
    let worker = worker(&mut stage);
    for _ in 0..2 {
        let step = step(&mut stage, worker);
        theft(&mut stage, step);
        theft(&mut stage, step);
        stage.exit(step);
    }
    let outcome = play(&stage);
    assert_eq!(outcome.alerts.len(), 2, "{:?}", outcome.titles());
    for alert in &outcome.alerts {
        assert_eq!(alert.scope, [Scope::CiStep]);
        assert!(alert.install.is_none());
        assert!(alert.completeness.complete, "{:?}", alert.completeness);
    }
    assert_ne!(outcome.alerts[0].id, outcome.alerts[1].id);
    let roots = sessions(&outcome);
    assert_eq!(roots[0], roots[1], "the worker stays the first ancestor");
}

#[test]
fn a_worker_that_ran_before_the_watch_makes_no_later_step_incomplete() {
    let mut stage = Stage::daemon();
    let worker = stage.lineage();
    let running = stage.fork(worker);
    stage.events.pop();
    found(&mut stage, worker, worker, WORKER);
    found(&mut stage, running, worker, "/usr/bin/bash");
    theft(&mut stage, running);
    let later = step(&mut stage, worker);
    theft(&mut stage, later);
    let outcome = play(&stage);
    let [before, after] = &outcome.alerts[..] else {
        panic!("{:?}", outcome.titles());
    };
    assert_eq!(before.scope, [Scope::CiStep]);
    assert!(before.completeness.started_late && !before.completeness.complete);
    assert!(after.completeness.complete, "{:?}", after.completeness);
    assert!(outcome.health.is_empty(), "{:?}", outcome.codes());
}

#[test]
fn a_process_of_a_step_whose_parents_are_gone_is_put_back_into_it() {
    let mut stage = Stage::daemon();
    let (worker, orphan) = (stage.lineage(), stage.lineage());
    let step = ProcessKey { pid: 7, start: 7 };
    found(&mut stage, worker, worker, WORKER);
    found(&mut stage, orphan, worker, "/usr/bin/bash");
    if let Some(Body::Found {
        parent,
        resumed,
        step: told,
        ..
    }) = stage.events.last_mut().map(|event| &mut event.body)
    {
        (*parent, *resumed, *told) = (None, true, Some(step));
    }
    let mut core = core(&[]);
    for event in &stage.events {
        core.handle(event);
    }
    assert_eq!(core.step_of(orphan), Some(step));
    assert_eq!(core.step_of(worker), None);
}

#[test]
fn an_install_in_a_step_is_told_as_one_and_its_alerts_have_both_scopes() {
    let mut stage = Stage::daemon();
    let worker = worker(&mut stage);
    let step = step(&mut stage, worker);
    let args = ["node", "/usr/bin/npm", "ci"];
    let npm = stage.spawn(step, "/usr/bin/node", &args, "/builds/a", &[]);
    theft(&mut stage, npm);
    stage.exit(npm);
    stage.exit(step);
    stage.pass(1_000_000_000);
    stage.push(Body::Counters(Counters::default()));
    let outcome = play(&stage);
    assert_eq!(outcome.alerts[0].scope, [Scope::Install, Scope::CiStep]);
    assert_eq!(outcome.sessions.len(), 1);
    assert_eq!(outcome.sessions[0].alerts, [outcome.alerts[0].id.clone()]);
}

#[test]
fn what_is_kept_for_ten_thousand_steps_of_a_long_lived_worker_is_bounded() {
    let mut stage = Stage::daemon();
    let worker = worker(&mut stage);
    let mut core = core(&[]);
    let mut raised = 0;
    let mut play = |stage: &mut Stage| {
        for event in stage.events.drain(..) {
            let findings = core.handle(&event);
            raised += findings
                .iter()
                .filter(|finding| matches!(finding, Finding::Alert(_)))
                .count();
        }
    };
    play(&mut stage);
    for number in 0..10_000 {
        let step = step(&mut stage, worker);
        if number % 3 == 0 {
            theft(&mut stage, step);
        }
        stage.exit(step);
        stage.pass(100_000_000);
        play(&mut stage);
    }
    assert_eq!(raised, 3_334);
    // Both are looked at for what is over when they have grown to twice what they were left with.
    assert!(core.sessions.len() <= 8192, "{}", core.sessions.len());
    assert!(core.chains.len() <= 2048, "{}", core.chains.len());
}
