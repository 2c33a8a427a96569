//! A run over the socket.

use std::process::{Child, Command as Process};

use super::*;
use crate::control::wire::{Command, Reply, ReplyLine, Start, json_line};
use crate::event::stage::Stage;
use crate::event::{Body, Operations};
use crate::kernel::SensorConfig;

/// A child of ours that waits to be ended.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Process::new("sleep").arg("60").spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(name: &str, carrier: u32) -> Command {
    let watch = WatchSet {
        entries: vec![WatchEntry {
            key: WatchKey::Component(name.into()),
            operations: Operations::READ,
        }],
    };
    Command::Start(Start::from(&SensorConfig {
        watch,
        carrier: Some(carrier),
        ..SensorConfig::default()
    }))
}

fn begun(daemon: &Daemon) -> Raw {
    let mut run = daemon.raw();
    run.say(r#"{"run":{}}"#);
    run.send(&json_line(&start(".ssh", std::process::id())));
    assert!(matches!(reply(&mut run), Reply::Ready { .. }));
    run
}

fn reply(run: &mut Raw) -> Reply {
    let line = run.hear();
    match serde_json::from_str::<ReplyLine>(&line) {
        Ok(line) => line.reply,
        Err(error) => panic!("{error}: {line}"),
    }
}

fn tell(run: &mut Raw, command: &Command) {
    run.send(&json_line(command));
}

#[test]
fn a_run_gets_its_commands_events_between_its_replies() {
    let daemon = Daemon::start(Limits::default());
    let mut run = begun(&daemon);
    let child = Sleeper::start();
    tell(&mut run, &Command::Watch { pid: child.0.id() });
    let Reply::Watched { process } = reply(&mut run) else {
        panic!("not watched");
    };
    let mut stage = Stage::daemon();
    stage.exec(process, "/usr/bin/id", &["id"], "/", &[]);
    let mut event = stage.events.pop().unwrap();
    if let Body::Exec { actor, .. } = &mut event.body {
        (actor.root, actor.uid) = (process, geteuid().as_raw());
    }
    daemon.happens(Happening::Events(vec![event.clone()]));
    let heard: Event = serde_json::from_str(&run.hear()).unwrap();
    assert_eq!(heard, event);
    assert!(run.hear().contains("\"event\":\"counters\""));
    tell(&mut run, &Command::Drain { number: 7 });
    assert!(
        run.hear().contains("\"event\":\"counters\""),
        "before the reply"
    );
    assert!(matches!(reply(&mut run), Reply::Drained { number: 7 }));
    tell(&mut run, &Command::Alive { number: 8 });
    let Reply::Alive {
        number: 8,
        processes,
    } = reply(&mut run)
    else {
        panic!("another reply");
    };
    assert_eq!(processes, [process]);
    assert_eq!(daemon.client().status().unwrap().runs, 1);
    tell(&mut run, &Command::Stop {});
    assert_eq!(run.hear(), "");
    while daemon.client().status().unwrap().runs > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    begun(&daemon);
}

#[test]
fn a_run_is_told_when_the_daemon_is_stopped() {
    let daemon = Daemon::start(Limits::default());
    let mut run = begun(&daemon);
    drop(daemon);
    let said = run.hear();
    assert!(said.contains("stopped"), "{said}");
}

#[test]
fn only_ones_own_process_carries_and_only_ones_own_child_is_watched() {
    let daemon = Daemon::start(Limits::default());
    let refused = |commands: &[Command]| {
        let mut run = daemon.raw();
        run.say(r#"{"run":{}}"#);
        for command in commands {
            run.send(&json_line(command));
        }
        loop {
            let line = run.hear();
            if line.contains("\"failed\"") {
                assert_eq!(run.hear(), "");
                return line;
            }
            assert!(line.contains("\"ready\""), "{line}");
        }
    };
    let own = std::process::id();
    let child = Sleeper::start();
    let cases: [(&[Command], &str); 6] = [
        (&[start(".ssh", child.0.id())], "is not yours"),
        (&[start(".ssh", 1)], "is not yours"),
        (&[start(".aws", own)], "rules look at files"),
        (&[Command::Watch { pid: own }], "must be `start`"),
        (&[start(".ssh", own), start(".ssh", own)], "started already"),
        (
            &[start(".ssh", own), Command::Watch { pid: 1 }],
            "not a child",
        ),
    ];
    for (commands, sentence) in cases {
        let said = refused(commands);
        assert!(said.contains(sentence), "{said}");
        // Ended on the loop's side as well.
        while daemon.client().status().unwrap().runs > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_second_run_on_one_connection_is_refused_and_on_another_by_the_same_process_too() {
    let daemon = Daemon::start(Limits::default());
    let mut run = begun(&daemon);
    let mut other = daemon.raw();
    other.say(r#"{"run":{}}"#);
    other.send(&json_line(&start(".ssh", std::process::id())));
    assert!(other.hear_refusal().contains("already"));
    run.say(r#"{"run":{}}"#);
    assert!(run.hear_refusal().contains("can't be read"));
}
