//! What a run is given and told.

use super::*;

#[test]
fn two_runs_at_once_get_their_own_events_and_no_others() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (mut one, first) = daemon.run(&mut stage, 10, 1000);
    let (mut other, second) = daemon.run(&mut stage, 11, 1000);
    let nobodys = stage.lineage();
    let before = stage.events.len();
    for root in [first, second, nobodys, first] {
        let child = stage.fork(root);
        stage.exec(child, "/usr/bin/id", &["id"], "/", &[]);
    }
    daemon.deliver(since(&stage, before));
    let (events, counters) = one.read();
    assert_eq!(events.len(), 4);
    let own = |event: &Event| event.body.actor().unwrap().root == first;
    assert!(events.iter().all(own));
    let counters = counters.unwrap();
    assert!(sums_up(&counters), "{counters:?}");
    assert_eq!(counters.kinds["exec"].generated, 2);
    assert_eq!(counters.kinds["exec_detail"].received, 2);
    let (events, counters) = other.read();
    assert_eq!(events.len(), 2);
    assert_eq!(counters.unwrap().kinds["fork"].generated, 1);
}

#[test]
fn a_run_in_a_watched_lineage_gets_what_descends_from_its_command_and_no_more() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let step = stage.lineage();
    daemon.table.root(step);
    let mut run = daemon.begin(step.pid, 1000).unwrap();
    let command = stage.fork(step);
    let living = Living {
        process: command,
        root: step,
    };
    daemon.table.entries.insert(command.pid, Some(living));
    assert_eq!(daemon.watch(&run, command.pid), Ok(command));
    let before = stage.events.len();
    let beside = stage.spawn(step, "/usr/bin/id", &["id"], "/", &[]);
    let child = stage.spawn(command, "/usr/bin/id", &["id"], "/", &[]);
    let below = stage.spawn(child, "/usr/bin/id", &["id"], "/", &[]);
    stage.exit(child);
    stage.spawn(beside, "/usr/bin/id", &["id"], "/", &[]);
    daemon.deliver(since(&stage, before));
    let (events, counters) = run.read();
    assert_eq!(events.len(), 5);
    let own = |event: &Event| event.body.actor().unwrap().root == command;
    assert!(events.iter().all(own));
    assert!(sums_up(&counters.unwrap()));
    let commands: Vec<_> = daemon.runs.commands_of(below).collect();
    assert_eq!(commands, [command]);
    daemon.end(&run);
    assert_eq!(daemon.runs.commands_of(below).count(), 0);
}

#[test]
fn who_has_nothing_to_be_told_is_told_nothing() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (_one, first) = daemon.run(&mut stage, 10, 1000);
    let (mut other, _) = daemon.run(&mut stage, 11, 1000);
    let before = stage.events.len();
    stage.fork(first);
    daemon.deliver(since(&stage, before));
    assert_eq!(other.read(), (Vec::new(), None));
}

#[test]
fn a_run_that_begins_late_owes_nothing_to_what_went_before() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    daemon.table.count("open", |count| {
        count.generated += 100;
        count.delivered += 60;
        count.received += 50;
        count.filtered += 30;
        count.lost += 10;
    });
    daemon.table.counters.lineage_full = 3;
    let (mut run, root) = daemon.run(&mut stage, 10, 1000);
    let before = stage.events.len();
    read(&mut stage, root, "/home/dev/.ssh/id_rsa");
    daemon.deliver(since(&stage, before));
    let counters = run.read().1.unwrap();
    let open = counters.kinds["open"];
    assert!(sums_up(&counters));
    // Ten wait in the ring, and may be its own.
    assert_eq!((open.received, open.delivered), (1, 11));
    assert_eq!((open.filtered, open.lost, counters.lineage_full), (0, 0, 0));
}

#[test]
fn a_loss_in_the_kernel_is_told_to_every_run_then_open() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (mut one, _) = daemon.run(&mut stage, 10, 1000);
    let (mut other, _) = daemon.run(&mut stage, 11, 1001);
    daemon.table.count("open", |count| {
        count.generated += 5;
        count.lost += 5;
    });
    daemon.deliver(&[]);
    for run in [&mut one, &mut other] {
        let counters = run.read().1.expect("it is told without events of its own");
        assert!(sums_up(&counters));
        assert_eq!(counters.kinds["open"].lost, 5);
    }
    let (mut late, _) = daemon.run(&mut stage, 12, 1000);
    daemon.deliver(&[]);
    assert_eq!(late.read().1, None);
    assert_eq!(one.read().1, None, "once is enough");
}

#[test]
fn who_does_not_read_loses_what_is_its_own_and_is_told_so() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (mut stalled, first) = daemon.run(&mut stage, 10, 1000);
    let (mut reader, second) = daemon.run(&mut stage, 11, 1000);
    let long = "x".repeat(4000);
    let before = stage.events.len();
    for _ in 0..100 {
        stage.exec(first, "/usr/bin/id", &["id", &long], "/", &[]);
    }
    stage.exec(second, "/usr/bin/id", &["id"], "/", &[]);
    let events = since(&stage, before).to_vec();
    let mut read = 0;
    for _ in 0..40 {
        daemon.deliver(&events);
        read += reader.read().0.len();
    }
    assert_eq!(read, 40, "the one who reads gets everything");
    let (kept, _) = stalled.read();
    assert!(kept.len() < 2500, "{}", kept.len());
    daemon.deliver(&[]);
    let counters = stalled
        .read()
        .1
        .expect("there is room again, and something to tell");
    assert!(sums_up(&counters));
    let exec = counters.kinds["exec"];
    assert_eq!(exec.received, kept.len() as u64);
    assert_eq!(exec.lost, 4000 - kept.len() as u64);
    daemon.deliver(&[]);
    assert_eq!(reader.read().1, None, "it lost nothing");
}

#[test]
fn even_a_full_queue_takes_what_a_drain_says() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (mut run, root) = daemon.run(&mut stage, 10, 1000);
    let long = "x".repeat(4000);
    let before = stage.events.len();
    for _ in 0..4000 {
        stage.exec(root, "/usr/bin/id", &["id", &long], "/", &[]);
    }
    daemon.deliver(since(&stage, before));
    let (answer, mut answered) = oneshot::channel();
    let runs = vec![run.id];
    daemon.runs.drained(Drain { runs, answer });
    assert_eq!(answered.try_recv().unwrap(), Ok(()));
    let (events, counters) = run.read();
    let exec = counters.unwrap().kinds["exec"];
    assert!(exec.lost > 0);
    assert_eq!(exec.lost + events.len() as u64, 4000);
}

#[test]
fn events_of_other_users_are_withheld_and_counted_unless_root_asks() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (mut user, first) = daemon.run(&mut stage, 10, 1000);
    let (mut root, second) = daemon.run(&mut stage, 11, 0);
    let before = stage.events.len();
    for process in [first, second] {
        read(&mut stage, process, "/home/dev/.ssh/id_rsa");
        read(&mut stage, process, "/root/.ssh/id_rsa");
        let last = stage.events.last_mut().unwrap();
        if let Body::Open { actor, .. } = &mut last.body {
            actor.uid = 0;
        }
    }
    daemon.deliver(since(&stage, before));
    let (events, counters) = user.read();
    assert_eq!(events.len(), 1);
    let counters = counters.unwrap();
    assert_eq!(
        (counters.withheld, counters.kinds["open"].generated),
        (1, 1)
    );
    assert!(sums_up(&counters));
    let (events, counters) = root.read();
    assert_eq!((events.len(), counters.unwrap().withheld), (2, 0));
}

#[test]
fn what_a_setuid_program_does_is_withheld_until_it_starts_another() {
    let mut daemon = Daemon::new();
    let mut stage = Stage::daemon();
    let (mut run, root) = daemon.run(&mut stage, 10, 1000);
    let before = stage.events.len();
    stage.exec(
        root,
        "/usr/bin/sudo",
        &["sudo", "-u", "dev", "id"],
        "/",
        &[],
    );
    if let Body::Exec { exec, .. } = &mut stage.events.last_mut().unwrap().body {
        exec.mode |= 0o4000;
        exec.owner = 0;
    }
    read(&mut stage, root, "/etc/shadow");
    let child = stage.fork(root);
    read(&mut stage, child, "/etc/sudoers");
    stage.exec(child, "/usr/bin/id", &["id"], "/", &[]);
    read(&mut stage, child, "/home/dev/.ssh/id_rsa");
    daemon.deliver(since(&stage, before));
    let (events, counters) = run.read();
    let opened: Vec<String> = events
        .iter()
        .filter_map(|event| match &event.body {
            Body::Open { open, .. } => Some(open.place.path.escaped()),
            _ => None,
        })
        .collect();
    assert_eq!(opened, ["/home/dev/.ssh/id_rsa"]);
    assert_eq!(events.len(), 4, "who is who, is still told");
    assert_eq!(counters.unwrap().withheld, 2);
}
