//! Rules with mistakes: all of them at once, each with its place and what was probably meant.

use std::process::Command;

use tests::{Scratch, Turn, Watched, fixture, need, pkgwarden, require};

const MISTAKES: [(&str, &str); 4] = [
    ("field-and-modifier.yml:10:5", "CommandLine"),
    ("field-and-modifier.yml:11:11", "endswith"),
    ("level.yml:4:8", "high"),
    ("regex.yml:10:", ""),
];

fn all_mistakes_are_told(text: &str) {
    for (place, suggestion) in MISTAKES {
        let line = text
            .lines()
            .find(|line| line.contains(place))
            .unwrap_or_else(|| panic!("no error at {place} in:\n{text}"));
        assert!(
            line.contains(suggestion),
            "no suggestion of {suggestion} in: {line}"
        );
    }
}

#[test]
fn rules_check_tells_every_mistake_with_its_place_and_a_suggestion() {
    let folder = fixture::folder("rules/broken");
    let output = Command::new(pkgwarden())
        .args([
            "rules".as_ref(),
            "check".as_ref(),
            "--rules".as_ref(),
            folder.as_os_str(),
        ])
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(1), "{text}");
    all_mistakes_are_told(&text);
}

#[test]
fn run_with_broken_rules_ends_before_the_command_starts() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let folder = fixture::folder("rules/broken");
    let ran = scratch.tmp().join("ran");
    let seen = Watched::run(&scratch, ["touch", ran.to_str().unwrap()])
        .options(["--rules".as_ref(), folder.as_os_str()])
        .finish();
    seen.ended_with(125);
    all_mistakes_are_told(&seen.stderr);
    assert!(!ran.exists(), "{seen:?}");
}

#[test]
fn the_shipped_rules_pass_their_own_check() {
    let output = Command::new(pkgwarden())
        .args(["rules", "check"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
