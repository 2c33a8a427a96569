use proptest::prelude::*;

use super::*;
use crate::event::stage::Stage;
use crate::event::{Body, Event};

fn feed(lineage: &mut Lineage, event: &Event) {
    match &event.body {
        Body::Fork { actor, child } => lineage.fork(actor, *child, event.time),
        Body::Exec { actor, exec } => {
            lineage.exec(actor, exec, event.time);
        }
        Body::Exit { actor, .. } => lineage.exit(actor, event.time),
        _ => {}
    }
}

fn played(stage: &Stage) -> Lineage {
    let mut lineage = Lineage::default();
    for event in &stage.events {
        feed(&mut lineage, event);
    }
    lineage
}

const NPM: &[&str] = &["node", "/usr/bin/npm", "ci"];

fn install() -> (Stage, ProcessKey) {
    let mut stage = Stage::new("npm ci");
    let root = stage.root;
    stage.exec(root, "/usr/bin/node", NPM, "/home/dev/app", &[]);
    (stage, root)
}

fn ancestors(process: &Process) -> Vec<&str> {
    let nodes = process.node.ancestors();
    let paths = nodes.iter().filter_map(|node| node.image.as_ref());
    paths.map(|image| &*image.path).collect()
}

#[test]
fn a_double_forked_child_stays_in_its_install_session() {
    let (mut stage, npm) = install();
    let shell = stage.spawn(npm, "/usr/bin/dash", &["sh", "-c", "x"], "/", &[]);
    let middle = stage.fork(shell);
    let daemon = stage.fork(middle);
    stage.exit(middle);
    stage.exit(shell);
    stage.exit(npm);
    stage.exec(daemon, "/usr/bin/sleep", &["sleep", "9"], "/tmp", &[]);
    let lineage = played(&stage);
    let daemon = lineage.get(daemon).unwrap();
    assert_eq!(daemon.context.install.as_ref().unwrap().root, npm);
    assert_eq!(
        ancestors(daemon),
        ["/usr/bin/dash", "/usr/bin/dash", "/usr/bin/node"]
    );
    assert_eq!(daemon.context.scope(), Some("|install|"));
    assert_eq!(lineage.forks_missed(), 0);
}

#[test]
fn a_shell_that_becomes_its_command_stays_visible_above_it() {
    let (mut stage, npm) = install();
    let child = stage.spawn(npm, "/usr/bin/dash", &["sh", "-c", "whoami"], "/", &[]);
    stage.exec(child, "/usr/bin/whoami", &["whoami"], "/", &[]);
    let lineage = played(&stage);
    let child = lineage.get(child).unwrap();
    assert_eq!(ancestors(child), ["/usr/bin/dash", "/usr/bin/node"]);
    assert_eq!(child.node.parent().unwrap().key, npm);
}

#[test]
fn a_process_whose_fork_was_missed_is_found_by_its_parent_or_its_root() {
    let (mut stage, npm) = install();
    let shell = stage.spawn(npm, "/usr/bin/dash", &["sh", "-c", "x"], "/", &[]);
    let curl = stage.spawn(shell, "/usr/bin/curl", &["curl"], "/", &[]);
    let lost = stage.fork(curl);
    stage.open(lost, "/x", crate::event::Operations::READ, 0);
    stage.events.retain(|event| {
        !matches!(&event.body, Body::Fork { child, .. } if *child == curl || *child == lost)
    });
    let mut lineage = played(&stage);
    let known = lineage.get(curl).unwrap();
    assert_eq!(ancestors(known), ["/usr/bin/dash", "/usr/bin/node"]);
    assert_eq!(lineage.forks_missed(), 1);
    let actor = stage.actor(lost);
    let found = lineage.acting(&actor, 5).clone();
    assert_eq!(found.context.install.as_ref().unwrap().root, npm);
    assert_eq!(lineage.forks_missed(), 2);
}

#[test]
fn a_fork_that_is_told_late_puts_the_child_where_it_belongs() {
    let (mut stage, npm) = install();
    let child = stage.spawn(npm, "/usr/bin/dash", &["sh"], "/", &[]);
    let last = stage.events.len() - 1;
    stage.events.swap(last, last - 1);
    let lineage = played(&stage);
    assert_eq!(lineage.forks_missed(), 0);
    assert_eq!(ancestors(lineage.get(child).unwrap()), ["/usr/bin/node"]);
}

#[test]
fn a_program_started_by_a_thread_after_the_leaders_end_is_alive() {
    let (mut stage, npm) = install();
    let child = stage.fork(npm);
    stage.exit(child);
    stage.exec(child, "/usr/bin/id", &["id"], "/", &[]);
    let lineage = played(&stage);
    assert!(lineage.alive(None).iter().any(|p| p.node.key == child));
}

#[test]
fn a_root_that_acts_after_its_children_is_not_below_itself() {
    let stage = Stage::new("x");
    let mut lineage = Lineage::default();
    let child = ProcessKey { pid: 7, start: 7 };
    lineage.acting(&stage.actor(child), 1);
    let root = lineage.acting(&stage.actor(stage.root), 2);
    assert!(root.node.above.is_none());
    assert_eq!(lineage.forks_missed(), 1);
}

#[test]
fn a_reused_pid_is_another_process() {
    let (mut stage, npm) = install();
    let first = stage.spawn(npm, "/usr/bin/dash", &["sh"], "/", &[]);
    let mut lineage = played(&stage);
    // Its exit was lost.
    let second = ProcessKey {
        pid: first.pid,
        start: first.start + 1,
    };
    lineage.fork(&stage.actor(npm), second, 9);
    let alive: Vec<_> = lineage.alive(None).iter().map(|p| p.node.key).collect();
    assert_eq!(alive, [npm, second]);
    assert_eq!(
        &*lineage.get(second).unwrap().image().unwrap().path,
        "/usr/bin/node"
    );
}

#[test]
fn nested_installs_stay_in_the_outer_session_and_a_build_is_none() {
    let mut stage = Stage::new("npm run build");
    let root = stage.root;
    let run = &["node", "/usr/bin/npm", "run", "build"];
    stage.exec(root, "/usr/bin/node", run, "/home/dev/app", &[]);
    let outer = stage.spawn(root, "/usr/bin/node", NPM, "/home/dev/app/sub", &[]);
    let pip = &["python", "/usr/bin/pip", "install", "x"];
    let inner = stage.spawn(outer, "/usr/bin/python3.11", pip, "/tmp", &[]);
    let lineage = played(&stage);
    assert_eq!(
        lineage.get(root).unwrap().context.scope(),
        Some("|runtime|")
    );
    let inner = lineage.get(inner).unwrap();
    assert_eq!(inner.context.install.as_ref().unwrap().root, outer);
    assert_eq!(inner.context.project.as_deref(), Some("/home/dev/app/sub"));
    assert_eq!(inner.context.scope(), Some("|install|runtime|"));
}

#[test]
fn a_script_of_a_package_that_npx_fetched_is_an_install() {
    let mut stage = Stage::new("npx x");
    let npx = stage.root;
    let args = &["node", "/usr/bin/npx", "x"];
    stage.exec(npx, "/usr/bin/node", args, "/home/dev", &[]);
    let folder = "/home/dev/.npm/_npx/0f1e/node_modules/x";
    let shell = &["sh", "-c", "x"];
    let script = |command: &str| {
        let command = format!("npm_command={command}");
        let mut stage = stage.clone();
        let environment = ["npm_lifecycle_event=postinstall", &command];
        let script = stage.spawn(npx, "/usr/bin/dash", shell, folder, &environment);
        let lineage = played(&stage);
        lineage.get(script).unwrap().context.install.clone()
    };
    assert_eq!(&*script("exec").unwrap().installer, "npm");
    assert_eq!(script("run-script"), None);
}

#[test]
fn a_long_command_line_is_kept_by_its_ends_once_the_rules_were_asked() {
    let (mut stage, npm) = install();
    let long = "x".repeat(30_000);
    let args = &["sh", "-c", &long, "end"];
    let shell = stage.spawn(npm, "/usr/bin/dash", args, "/", &[]);
    let mut lineage = played(&stage);
    let before = lineage.get(shell).unwrap().stamp;
    lineage.settle(shell);
    let process = lineage.get(shell).unwrap();
    let image = process.image().unwrap();
    assert!(image.args_truncated && image.command_line.len() < 20_000);
    assert!(image.command_line.ends_with("xxx end"));
    assert_ne!(process.stamp, before);
    assert_eq!(process.node.parent().unwrap().key, npm);
}

#[test]
fn what_a_shell_does_after_an_install_is_not_the_installs() {
    let mut stage = Stage::new("sh");
    let shell = stage.root;
    let line = &["sh", "-c", "npm install x && whoami"];
    stage.exec(shell, "/usr/bin/bash", line, "/", &[]);
    let npm = stage.spawn(shell, "/usr/bin/node", NPM, "/", &[]);
    let whoami = stage.spawn(shell, "/usr/bin/whoami", &["whoami"], "/", &[]);
    let lineage = played(&stage);
    assert!(lineage.get(npm).unwrap().context.install.is_some());
    assert_eq!(lineage.get(whoami).unwrap().context.scope(), None);
}

#[test]
fn an_editors_node_starts_no_scope_and_a_python_below_it_does() {
    let mut stage = Stage::new("x");
    let server = stage.root;
    let own = "/home/dev/.vscode-server/bin/0f1e/node";
    stage.exec(server, own, &["node", "server.js"], "/", &[]);
    let shell = stage.spawn(server, "/usr/bin/bash", &["bash"], "/", &[]);
    let python = stage.spawn(shell, "/usr/bin/python3.11", &["python3"], "/", &[]);
    let nested = stage.spawn(python, own, &["node"], "/", &[]);
    let lineage = played(&stage);
    let scope = |key| lineage.get(key).unwrap().context.scope();
    assert_eq!(scope(server), None);
    assert_eq!(scope(shell), None);
    assert_eq!(scope(python), Some("|runtime|"));
    assert_eq!(scope(nested), Some("|runtime|"));
}

#[test]
fn a_process_that_forks_itself_forward_keeps_its_root_and_a_short_chain() {
    let (mut stage, npm) = install();
    let mut last = npm;
    for n in 0..10_000 {
        last = match n % 3 {
            0 => {
                stage.exec(last, "/usr/bin/x", &["x"], "/", &[]);
                last
            }
            _ => stage.fork(last),
        };
    }
    let lineage = played(&stage);
    let last = lineage.get(last).unwrap();
    assert!(last.node.above().count() <= 2 * NEAREST);
    let ancestors = last.node.ancestors();
    assert_eq!(ancestors.len(), NEAREST + 1);
    assert_eq!(ancestors[NEAREST].key, npm);
    assert!(last.context.install.is_some());
}

#[test]
fn a_process_that_execs_for_ever_does_not_push_its_ancestors_out() {
    let (mut stage, npm) = install();
    let child = stage.fork(npm);
    for n in 0..1000 {
        let name = format!("/x/{n}");
        stage.exec(child, &name, &[&name], "/", &[]);
    }
    let lineage = played(&stage);
    assert_eq!(
        ancestors(lineage.get(child).unwrap()),
        ["/x/998", "/x/997", "/x/996", "/usr/bin/node"]
    );
}

#[test]
fn a_million_short_processes_leave_nothing_behind() {
    let (stage, npm) = install();
    let mut lineage = played(&stage);
    let actor = stage.actor(npm);
    for n in 0..1_000_000_u64 {
        let child = ProcessKey {
            pid: 2000 + (n % 30_000) as u32,
            start: n,
        };
        lineage.fork(&actor, child, n * 1000);
        lineage.exit(&stage.actor(child), n * 1000);
        assert!(lineage.processes.len() <= REMEMBERED_MOST + 2);
    }
    assert!(lineage.current.len() <= REMEMBERED_MOST + 2);
}

#[test]
fn processes_whose_ends_were_lost_are_bounded_too() {
    let (stage, npm) = install();
    let mut lineage = played(&stage);
    let actor = stage.actor(npm);
    for n in 0..300_000_u32 {
        let child = ProcessKey {
            pid: 2000 + n,
            start: n.into(),
        };
        lineage.fork(&actor, child, n.into());
    }
    assert!(lineage.processes.len() <= TABLE_MOST + 1);
    assert!(lineage.acting(&actor, 400_000).context.install.is_some());
}

/// One thing that happens to one of a few processes, by its number.
#[derive(Debug, Clone, Copy)]
enum Step {
    Fork {
        parent: usize,
        reuse: bool,
        told: bool,
    },
    Exec {
        process: usize,
        told: bool,
    },
    Exit {
        process: usize,
        told: bool,
    },
    Act {
        process: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let process = 0..12_usize;
    let told = proptest::bool::weighted(0.8);
    prop_oneof![
        (process.clone(), any::<bool>(), told).prop_map(|(parent, reuse, told)| {
            Step::Fork {
                parent,
                reuse,
                told,
            }
        }),
        (process.clone(), told).prop_map(|(process, told)| Step::Exec { process, told }),
        (process.clone(), told).prop_map(|(process, told)| Step::Exit { process, told }),
        process.prop_map(|process| Step::Act { process }),
    ]
}

proptest! {
    /// Whatever happens in whatever order, with pids reused and any fork, exec or exit lost, a
    /// process that acts is in its lineage and in the install that its root began.
    #[test]
    fn no_child_is_ever_lost(steps in proptest::collection::vec(step(), 1..120)) {
        let (stage, npm) = install();
        let mut lineage = played(&stage);
        let mut alive = vec![npm];
        let mut free = Vec::new();
        let mut next = 2000;
        for (time, step) in (2_000_000_000_u64..).zip(steps) {
            let pick = |n: usize| alive[n % alive.len()];
            match step {
                Step::Fork { parent, reuse, told } => {
                    let pid = match free.pop() {
                        Some(pid) if reuse => pid,
                        _ => { next += 1; next }
                    };
                    let child = ProcessKey { pid, start: time };
                    if told {
                        lineage.fork(&stage.actor(pick(parent)), child, time);
                    }
                    alive.push(child);
                }
                Step::Exec { process, told } => {
                    let exec = Exec { executable: crate::event::stage::place("/x"), parent_pid: 1, ..Exec::default() };
                    if told {
                        lineage.exec(&stage.actor(pick(process)), &exec, time);
                    }
                }
                Step::Exit { process, told } => {
                    let ended = pick(process);
                    if ended == npm {
                        continue;
                    }
                    if told {
                        lineage.exit(&stage.actor(ended), time);
                    }
                    alive.retain(|key| *key != ended);
                    free.push(ended.pid);
                }
                Step::Act { process } => {
                    let key = pick(process);
                    let found = lineage.acting(&stage.actor(key), time);
                    prop_assert_eq!(found.root, npm);
                    prop_assert_eq!(found.node.key, key);
                    let install = found.context.install.as_ref();
                    prop_assert_eq!(install.map(|install| install.root), Some(npm));
                    let root = found.node.above().last();
                    prop_assert!(key == npm || root.is_some_and(|node| node.key == npm));
                }
            }
        }
        for key in alive {
            let install = lineage.acting(&stage.actor(key), 9_000_000_000).context.install.clone();
            prop_assert_eq!(install.map(|install| install.root), Some(npm));
        }
    }
}
