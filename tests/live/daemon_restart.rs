//! A daemon that was away: stopped, killed, started again in the middle of an install.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use tests::{Alert, Background, Daemon, Scratch, Turn, fixture, need, require};

const NONE: [&str; 0] = [];

/// An install whose postinstall acts, waits, and acts again. The files say how far it is.
struct Steps<'s> {
    scratch: &'s Scratch,
    npm: Background,
}

impl<'s> Steps<'s> {
    fn start(scratch: &'s Scratch, postinstall: &str) -> Self {
        let archive = fixture::npm_archive_that_runs(scratch, postinstall);
        let npm = Background::start(scratch, ["npm", "install", &archive, "--offline"]);
        Self { scratch, npm }
    }

    fn has_come_to(&self, file: &str) {
        let path = self.scratch.tmp().join(file);
        self.npm.until(file, || path.exists());
    }

    fn go(&self) {
        fs::write(self.scratch.tmp().join("go"), "").unwrap();
    }

    fn alert(&self, daemon: &Daemon, word: &str) -> Alert {
        let project = self.scratch.project();
        daemon.alert(word, |alert| {
            Path::new(alert.text("/install/working_directory")) == project
                && alert.text("/row/SubjectCmdLine").starts_with(word)
        })
    }
}

const TWICE: &str =
    "id; touch $TMPDIR/one; while [ ! -e $TMPDIR/go ]; do sleep 0.05; done; whoami; : end";

/// `end` is given the id of the install: the daemon watches those of other tests too.
fn goes_on_and_states_the_gap(end: impl FnOnce(Daemon, &str)) {
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let first = Daemon::start(&scratch, NONE);
    let steps = Steps::start(&scratch, TWICE);
    steps.has_come_to("one");
    let before = steps.alert(&first, "id");
    assert_eq!(before.at("/completeness/complete"), true, "{before:?}");
    let id = before.text("/install/id").to_owned();
    end(first, &id);

    let second = Daemon::start(&scratch, NONE);
    let gap = second.health_that("daemon_gap", |cause| {
        cause.contains("no daemon was running")
    });
    assert!(gap["since"].is_string(), "{gap}");
    steps.go();
    let after = steps.alert(&second, "whoami");
    steps.npm.succeeds();
    assert_eq!(after.text("/install/id"), id, "{after:?}");
    assert_eq!(after.text("/package/name"), "hostile-fixture", "{after:?}");
    assert_eq!(after.at("/completeness/complete"), false, "{after:?}");
    assert_eq!(after.at("/completeness/started_late"), false, "{after:?}");
    let session = second.session(&id, |session| {
        let alerts = session["alerts"].as_array().unwrap();
        alerts.contains(after.at("/id"))
    });
    let degraded = session["completeness"]["degraded"].to_string();
    assert!(degraded.contains("not running throughout"), "{session:#}");
    assert!(
        session["still_running"].as_array().unwrap().is_empty(),
        "{session:#}"
    );
    second.stop();
}

#[test]
fn a_restart_in_the_middle_of_an_install_goes_on_with_its_session_and_states_the_gap() {
    need!(require::live(), require::programs(&["npm"]));
    goes_on_and_states_the_gap(|daemon, _| daemon.stop());
}

#[test]
fn a_daemon_that_was_killed_says_how_long_it_was_away() {
    need!(require::live(), require::programs(&["npm"]));
    goes_on_and_states_the_gap(|mut daemon, id| {
        daemon.has_noted(id);
        daemon.signal(Signal::SIGKILL);
        daemon.ended();
    });
}

#[test]
fn what_an_installer_left_behind_stays_in_its_session_over_a_restart() {
    need!(require::live(), require::programs(&["npm", "setsid"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let first = Daemon::start(&scratch, NONE);
    let script = "id; setsid sh -c 'touch $TMPDIR/one; while [ ! -e $TMPDIR/go ]; do sleep 0.05; done; \
                  whoami; : end' > /dev/null 2>&1 < /dev/null &";
    let steps = Steps::start(&scratch, script);
    steps.has_come_to("one");
    let id = steps.alert(&first, "id").text("/install/id").to_owned();
    steps.npm.succeeds();
    first.stop();

    let second = Daemon::start(&scratch, NONE);
    steps.go();
    let after = steps.alert(&second, "whoami");
    assert_eq!(after.text("/install/id"), id, "{after:?}");
    second.session(&id, |session| {
        let alerts = session["alerts"].as_array().unwrap();
        alerts.contains(after.at("/id")) && alerts.len() > 1
    });
    second.stop();
}

#[test]
fn a_session_that_ended_while_no_daemon_ran_is_told_as_over() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let first = Daemon::start(&scratch, NONE);
    let steps = Steps::start(&scratch, TWICE);
    steps.has_come_to("one");
    let id = steps.alert(&first, "id").text("/install/id").to_owned();
    first.stop();
    steps.go();
    steps.npm.succeeds();

    let second = Daemon::start(&scratch, NONE);
    let session = second.session(&id, |_| true);
    assert_eq!(session["completeness"]["complete"], false, "{session:#}");
    assert!(
        session["still_running"].as_array().unwrap().is_empty(),
        "{session:#}"
    );
    second.stop();
}
