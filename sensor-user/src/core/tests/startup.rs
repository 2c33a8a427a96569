//! What was read of a start-up file: only rules that ask for it are asked again.

use super::play;
use crate::alert::schema::EventWord;
use crate::event::stage::{Stage, place};
use crate::event::{Body, Operations};

fn written(path: &str, code: &[&str]) -> Stage {
    let mut stage = Stage::new("pip install x");
    let root = stage.root;
    let args = ["pip", "install", "x"];
    stage.exec(root, "/usr/bin/python3.11", &args, "/home/dev/app", &[]);
    stage.open(root, path, Operations::WRITE | Operations::CREATE, 0);
    let actor = stage.actor(root);
    stage.push(Body::StartupFile {
        actor,
        place: place(path),
        code: code.iter().map(|&word| word.to_owned()).collect(),
    });
    stage.exit(root);
    stage
}

const HOOK: &str = "/v/lib/python3.11/site-packages/x.pth";

#[test]
fn a_rule_on_code_is_asked_when_the_file_was_read() {
    let outcome = play(&written(HOOK, &["exec", "base64"]));
    assert_eq!(outcome.titles(), ["Hook With Code"]);
    let alert = &outcome.alerts[0];
    assert_eq!(alert.evidence.event, EventWord::Write);
    assert_eq!(alert.evidence.fields["FileCode"], "|exec|base64|");
    assert_eq!(alert.file.as_ref().unwrap().path, HOOK);
    assert!(play(&written(HOOK, &["exec"])).alerts.is_empty());
}

#[test]
fn a_rule_without_a_condition_on_code_is_not_asked_twice() {
    let unit = "/home/dev/.config/systemd/user/x.pth";
    let outcome = play(&written(unit, &["base64"]));
    assert_eq!(
        outcome.titles(),
        ["Start-Up File Written", "Hook With Code"]
    );
    assert!(outcome.report.repeats.is_empty(), "counted twice");
}
