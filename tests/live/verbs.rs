//! The verbs beside `run`, as a user calls them.

use std::fs;
use std::process::{Command, Output};

use tests::{Scratch, Turn, Watched, fixture, need, pkgwarden, require};

fn call(scratch: &Scratch, arguments: &[&str]) -> Output {
    Command::new(pkgwarden())
        .args(arguments)
        .env_clear()
        .envs(scratch.environment())
        .current_dir(scratch.project())
        .output()
        .unwrap()
}

#[test]
fn doctor_names_the_hook_of_every_kind_and_ends_with_0_where_nothing_is_missing() {
    need!(require::live());
    let _turn = Turn::shared();
    let output = call(&Scratch::new(), &["doctor"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for word in ["exec", "connect", "open", "rename", "BTF", "journald"] {
        assert!(text.contains(word), "no word of {word} in\n{text}");
    }
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn selftest_detects_all_five_and_leaves_nothing_behind() {
    need!(
        require::live(),
        require::programs(&["npm", "ip"]),
        require::python_build()
    );
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    let networks = || {
        Command::new("ip")
            .args(["netns", "list"])
            .output()
            .unwrap()
            .stdout
    };
    let before = networks();
    let output = call(&scratch, &["selftest"]);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(0), "{text}");
    for home in [scratch.home(), scratch.tmp(), scratch.project()] {
        let left: Vec<_> = fs::read_dir(&home)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
    assert_eq!(before, networks(), "a network namespace was left behind");
}

#[test]
fn explain_shows_tree_rule_and_playbook_of_an_alert_from_a_file() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let archive = fixture::npm_archive(&scratch, "recon-postinstall");
    let seen = Watched::run(&scratch, ["npm", "install", &archive, "--offline"]).finish();
    seen.ended_with(0);
    let alert = seen
        .alerts
        .first()
        .unwrap_or_else(|| panic!("no alert\n{seen:?}"));
    let file = scratch.write("alert.json", format!("{}\n", alert.0));
    let output = call(&scratch, &["explain", file.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for word in [
        "left-padding-fixture",
        "4.2.1",
        "npm install",
        alert.text("/rule/title"),
    ] {
        assert!(text.contains(word), "no word of {word} in\n{text}");
    }
}

#[test]
fn a_usage_error_of_another_verb_is_64() {
    let output = call(&Scratch::new(), &["replay"]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
}
