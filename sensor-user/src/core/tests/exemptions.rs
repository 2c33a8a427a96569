//! What a filter silences, and what makes it void: the filters of `rules/filters` here let
//! `/usr/bin/honest` read a browser's store and write a start-up file.

use super::play;
use crate::event::stage::Stage;
use crate::event::{Operations, ProcessKey};

const STORE: &str = "/home/dev/.config/google-chrome/Default/Cookies";
const STARTUP: &str = "/home/dev/.bashrc";
const FILTER: &str = "00000000-0000-4000-8000-0000000000f1";

/// An install below which an honest tool runs, and a package's script.
fn install() -> (Stage, ProcessKey, ProcessKey) {
    let mut stage = Stage::new("npm ci");
    let root = stage.root;
    let args = ["node", "/usr/bin/npm", "ci"];
    stage.exec(root, "/usr/bin/node", &args, "/home/dev/app", &[]);
    let honest = stage.fork(root);
    stage.exec(honest, "/usr/bin/honest", &["honest"], "/home/dev/app", &[]);
    let script = stage.fork(root);
    let args = ["node", "install.js"];
    stage.exec(script, "/usr/bin/node", &args, "/home/dev/app", &[]);
    (stage, honest, script)
}

#[test]
fn an_honest_tool_is_silent_and_counted() {
    let (mut stage, honest, _) = install();
    for _ in 0..3 {
        stage.open(honest, STARTUP, Operations::CREATE, 0);
    }
    let outcome = play(&stage);
    assert!(outcome.alerts.is_empty(), "{:?}", outcome.titles());
    assert_eq!(outcome.suppressed.len(), 1);
    assert_eq!(outcome.report.suppressed[FILTER], 3);
}

#[test]
fn an_exemption_is_void_after_credentials_were_opened_in_the_session() {
    let (mut stage, honest, script) = install();
    stage.open(honest, STARTUP, Operations::CREATE, 0);
    stage.open(script, STORE, Operations::READ, 0);
    stage.open(honest, STARTUP, Operations::CREATE, 0);
    let outcome = play(&stage);
    assert_eq!(
        outcome.titles(),
        ["Browser Store Opened", "Start-Up File Written"]
    );
    let [reason] = &outcome.alerts[1].level_reasons[..] else {
        panic!("{:?}", outcome.alerts[1].level_reasons)
    };
    assert!(reason.contains(FILTER), "{reason}");
    assert_eq!(outcome.alerts[1].evidence.suppressed_by, None);
    assert_eq!(outcome.report.suppressed[FILTER], 1);
}

#[test]
fn credentials_that_an_exemption_lets_a_tool_open_void_nothing() {
    let (mut stage, honest, _) = install();
    stage.open(honest, STORE, Operations::READ, 0);
    stage.open(honest, STARTUP, Operations::CREATE, 0);
    let outcome = play(&stage);
    assert!(outcome.alerts.is_empty(), "{:?}", outcome.titles());
    assert_eq!(outcome.suppressed.len(), 2);
}

#[test]
fn credentials_opened_in_one_session_void_no_exemption_of_another() {
    let mut stage = Stage::daemon();
    let mut tool = |program: &str| {
        let root = stage.lineage();
        stage.exec(root, program, &[program], "/home/dev/app", &[]);
        root
    };
    let (thief, honest) = (tool("/usr/bin/python3.11"), tool("/usr/bin/honest"));
    stage.open(thief, STORE, Operations::READ, 0);
    stage.open(honest, STARTUP, Operations::CREATE, 0);
    let outcome = play(&stage);
    assert_eq!(outcome.titles(), ["Browser Store Opened"]);
    assert_eq!(outcome.suppressed.len(), 1);
}
