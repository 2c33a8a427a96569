//! The shipped rules before the official schemas, `sigma check`, and pySigma with SQLite.

use std::process::{Command, Output};
use std::rc::Rc;

use pkgwarden::detect::{RuleSet, Sources};
use serde_json::{Value as Json, json};

use super::{corpus, fetched, program, rules_alone, workspace};

/// Chains whose `condition` says which of their rules must have matched. pySigma understands such a
/// condition and the specification's draft describes it; the schema of 2.1 knows only counts there.
const NAMED_CONDITIONS: [&str; 4] = [
    "chains/credential-read-then-egress.yml",
    "chains/download-then-run.yml",
    "chains/persistence-then-enable.yml",
    "chains/runtime-secrets-then-upload.yml",
];

fn shipped() -> RuleSet {
    let sources = Sources {
        shipped: true,
        ..Sources::default()
    };
    RuleSet::load(&sources).unwrap_or_else(|errors| panic!("{errors}"))
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_rule_chain_and_filter_validates_against_the_official_schemas() {
    let test = "verdicts::every_rule_chain_and_filter_validates_against_the_official_schemas";
    let (Some(python), Some(specification)) =
        (program("python", test), fetched("specification", test))
    else {
        return;
    };
    let rules = rules_alone();
    let output = Command::new(python)
        .arg(workspace().join("xtask/judges/schemas.py"))
        .args([&specification.join("json-schema"), rules.path()])
        .output()
        .unwrap();
    let (stdout, stderr) = texts(&output);
    let mut lines: Vec<&str> = stdout.lines().collect();
    let counts = lines.pop().unwrap_or_default();
    let counts: Json = serde_json::from_str(counts).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
    let ruleset = shipped();
    let expected = json!({
        "detection": ruleset.rules().len(),
        "correlation": ruleset.chains().len(),
        "filter": ruleset.filters().len(),
    });
    assert_eq!(counts, expected);
    let mut named: Vec<&str> = Vec::new();
    for line in lines {
        let excepted = NAMED_CONDITIONS.iter().find(|name| {
            line.starts_with(&format!("{name}: $.correlation.condition: '"))
                && line.ends_with("' is not of type 'object'")
        });
        named.push(excepted.unwrap_or_else(|| panic!("{stdout}")));
    }
    assert_eq!(named, NAMED_CONDITIONS, "each of them, and once");
}

#[test]
fn sigma_check_finds_nothing_wrong() {
    let Some(sigma) = program("sigma", "verdicts::sigma_check_finds_nothing_wrong") else {
        return;
    };
    let rules = rules_alone();
    // These two would download what they compare with.
    let output = Command::new(sigma)
        .args([
            "check",
            "-x",
            "attacktag",
            "-x",
            "d3_fendtag",
            "--fail-on-issues",
        ])
        .arg(rules.path())
        .output()
        .unwrap();
    let (stdout, stderr) = texts(&output);
    assert!(output.status.success(), "{stdout}{stderr}");
    let nothing = "Found 0 errors, 0 condition errors and 0 issues.";
    assert!(stdout.contains(nothing), "{stdout}{stderr}");
}

#[test]
fn pysigma_and_sqlite_find_in_the_recordings_what_the_engine_finds() {
    let test = "verdicts::pysigma_and_sqlite_find_in_the_recordings_what_the_engine_finds";
    let Some(python) = program("python", test) else {
        return;
    };
    let ruleset = Rc::new(shipped());
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("corpus.ndjson");
    std::fs::write(&corpus, corpus::lines(&ruleset)).unwrap();
    let output = Command::new(python)
        .arg(workspace().join("xtask/judges/sqlite.py"))
        .args([&corpus, rules_alone().path()])
        .output()
        .unwrap();
    let (stdout, stderr) = texts(&output);
    let said: Json = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
    assert_eq!(said["differ"], json!([]), "{stdout}");
    // None has what can't be said in SQL: a rule that has is named here, with the reason.
    assert_eq!(said["not asked"], json!({}), "{stdout}");
    assert_eq!(said["rules"], ruleset.rules().len());
    let count = |key: &str| said[key].as_u64().unwrap();
    assert!(count("before filters") > count("after filters"), "{stdout}");
    assert!(count("after filters") > 380, "{stdout}");
    assert!(count("chains") >= 4, "{stdout}");
}
