//! Exit statuses, and signals to `run`.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::{Scratch, Turn, Watched, need, require};

#[test]
fn the_status_of_the_command_is_passed_through() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = Watched::run(&scratch, ["sh", "-c", "exit 41"]).finish();
    seen.ended_with(41).complete();
    assert_eq!(seen.report["exit"]["status"], 41, "{seen:?}");
    assert_eq!(seen.report["exit"]["decided_by"], "command", "{seen:?}");
}

#[test]
fn a_command_that_does_not_exist_is_127() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = Watched::run(&scratch, ["no-such-command-anywhere"]).finish();
    seen.ended_with(127);
    assert!(seen.stderr.contains("no-such-command-anywhere"), "{seen:?}");
}

#[test]
fn a_command_that_may_not_be_executed_is_126() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let file = scratch.write("plain-text", "not a program\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let seen = Watched::run(&scratch, ["./plain-text"]).finish();
    seen.ended_with(126);
    assert!(seen.stderr.contains("plain-text"), "{seen:?}");
}

#[test]
fn a_command_that_a_signal_ends_is_128_and_its_number() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = Watched::run(&scratch, ["sh", "-c", "kill -KILL $$"]).finish();
    seen.ended_with(128 + 9);
    assert_eq!(seen.report["exit"]["signal"], 9, "{seen:?}");
}

/// Runs a command that catches a signal, sends that to pkgwarden, and gives how long the report took.
fn signalled(signal: Signal, name: &str) {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = format!(
        "trap 'echo caught {name}; exit 7' {name}; echo ready; while :; do sleep 0.1; done"
    );
    // A shell can't trap what was ignored when it began, as SIGINT is in a job in the background.
    let default = format!("--default-signal={name}");
    let run = Watched::run(&scratch, ["env", &default, "sh", "-c", &script])
        .deadline(20)
        .start();
    run.until("the command is ready", |run| run.stdout().contains("ready"));
    let begun = Instant::now();
    run.signal(signal);
    run.until("the report is on disk", tests::Running::reported);
    let took = begun.elapsed();
    let seen = run.wait();
    seen.ended_with(7);
    assert!(seen.stdout.contains(&format!("caught {name}")), "{seen:?}");
    assert!(
        took <= Duration::from_secs(2),
        "the report took {took:?}\n{seen:?}"
    );
    assert_eq!(seen.report["exit"]["status"], 7, "{seen:?}");
}

#[test]
fn a_term_goes_on_to_the_command_and_the_report_is_there_in_two_seconds() {
    signalled(Signal::SIGTERM, "TERM");
}

#[test]
fn an_interrupt_goes_on_to_the_command_and_the_report_is_there_in_two_seconds() {
    signalled(Signal::SIGINT, "INT");
}

#[test]
fn a_hangup_goes_on_to_the_command() {
    signalled(Signal::SIGHUP, "HUP");
}

#[test]
fn a_command_that_ignores_a_term_does_not_hold_the_report_back() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = "trap '' TERM; echo ready; i=0; while [ $i -lt 60 ]; do sleep 0.1; i=$((i+1)); done; exit 3";
    let run = Watched::run(&scratch, ["sh", "-c", script])
        .deadline(20)
        .start();
    run.until("the command is ready", |run| run.stdout().contains("ready"));
    let begun = Instant::now();
    run.signal(Signal::SIGTERM);
    run.until("the report is on disk", tests::Running::reported);
    assert!(
        begun.elapsed() <= Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn an_alert_is_written_when_it_is_raised_and_not_at_the_end() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let archive =
        tests::fixture::npm_archive_that_runs(&scratch, "id > /dev/null; sleep 8; : slow");
    let run = Watched::run(&scratch, ["npm", "install", &archive, "--offline"])
        .deadline(30)
        .start();
    run.until("an alert is on disk", |run| {
        run.alerts().contains("pkgwarden.alert/1")
    });
    assert!(!run.reported(), "the alert came only with the report");
    run.wait().ended_with(0);
}
