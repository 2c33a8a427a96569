//! What a run may not do.

use super::*;

#[test]
fn watched_code_that_begins_a_run_does_not_shed_its_lineage() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (_run, root) = daemon.run(&mut stage, 10, 1000);
    let _inner = daemon.begin(root.pid, 1000).unwrap();
    let entry = daemon.table.entries[&root.pid];
    assert_eq!(entry.map(|living| living.root), Some(root), "it stays in");
}

#[test]
fn a_process_begins_one_run_at_a_time() {
    let mut daemon = Daemon::new();
    let first = daemon.begin(10, 1000).unwrap();
    assert!(
        daemon
            .begin(10, 1000)
            .map(|_| ())
            .unwrap_err()
            .contains("already")
    );
    daemon.end(&first);
    assert!(daemon.begin(10, 1000).is_ok());
}

#[test]
fn the_end_of_a_run_takes_nobody_out_of_the_lineage_set_who_has_its_pid_now() {
    let mut daemon = Daemon::new();
    let client = daemon.begin(10, 1000).unwrap();
    // The run's process died, and a watched one made another with its pid.
    let recycled = ProcessKey { pid: 10, start: 7 };
    daemon.table.root(recycled);
    daemon.end(&client);
    assert!(daemon.table.entries.contains_key(&10));
}

#[test]
fn a_run_watches_roots_of_its_own_only() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (one, first) = daemon.run(&mut stage, 10, 1000);
    let (other, _) = daemon.run(&mut stage, 11, 1000);
    assert!(
        daemon
            .watch(&other, first.pid)
            .unwrap_err()
            .contains("another run")
    );
    assert_eq!(daemon.watch(&one, first.pid), Ok(first), "again is no harm");
    let below = stage.fork(first);
    let living = Living {
        process: below,
        root: first,
    };
    daemon.table.entries.insert(below.pid, Some(living));
    assert!(
        daemon
            .watch(&one, below.pid)
            .unwrap_err()
            .contains("another command")
    );
    assert!(
        daemon
            .watch(&one, 4000)
            .unwrap_err()
            .contains("did not enter")
    );
    for _ in 1..ROOTS {
        let root = stage.lineage();
        daemon.table.root(root);
        daemon.watch(&one, root.pid).unwrap();
    }
    let root = stage.lineage();
    daemon.table.root(root);
    assert!(
        daemon
            .watch(&one, root.pid)
            .unwrap_err()
            .contains("at most")
    );
}

#[test]
fn a_reload_that_no_longer_covers_a_run_ends_it_with_a_sentence() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (mut run, _) = daemon.run(&mut stage, 10, 1000);
    let mut wider = reading(".ssh");
    wider.entries.extend(reading(".aws").entries);
    let offer = |watch| {
        Arc::new(Offer {
            watch,
            hooks: Vec::new(),
        })
    };
    daemon.runs.renew(offer(wider), &mut daemon.table);
    assert_eq!(daemon.runs.len(), 1);
    daemon.runs.renew(offer(reading(".aws")), &mut daemon.table);
    assert_eq!(daemon.runs.len(), 0);
    assert!(!daemon.table.entries.contains_key(&10));
    let said = run.lines.try_recv().unwrap();
    let line: ReplyLine = serde_json::from_slice(&said.bytes).unwrap();
    let Reply::Failed { message } = line.reply else {
        panic!("{line:?}");
    };
    assert!(message.contains("reloaded"), "{message}");
    let refusal = daemon.begin(11, 1000).map(|_| ()).unwrap_err();
    assert!(
        refusal.contains("reloaded"),
        "checked against what is no more: {refusal}"
    );
}
