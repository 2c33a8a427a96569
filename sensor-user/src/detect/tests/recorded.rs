//! The shipped rules on what a real kernel and real package managers gave.
//!
//! `rules/tests/<rule>.ndjson` is the part of a recorded capture that the rule's alert needs, made
//! by `tests/replicas/record.py`. `recorded_near_miss` in `rules/tests/<rule>.yml` names one value
//! of one event in it, and the other value with which the rule must be silent.

use std::fs::File;
use std::io::BufReader;
use std::rc::Rc;

use super::shipped::{rules_folder, shipped, slug, trial_of};
use super::*;
use crate::alert::schema::Alert;
use crate::core::{Core, Finding, Trust};
use crate::detect::Rule;
use crate::event::Event;
use crate::event::capture::Reader;

/// What pip or npm itself does: no process tells for which package.
const BY_THE_MANAGER: &[&str] = &[
    "install-untrusted-host",
    "python-startup-hook-in-wheel",
    "python-startup-hook-with-code",
];
/// Only what the alert needs is kept.
const LARGEST: u64 = 40 << 10;

fn recording(rule: &Rule) -> std::path::PathBuf {
    rules_folder().join(format!("tests/{}.ndjson", slug(rule)))
}

fn events(path: &Path) -> Vec<Event> {
    let file = BufReader::new(File::open(path).unwrap());
    let reader = Reader::new(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader
        .map(|event| event.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect()
}

/// The alerts of that rule.
fn alerts(rules: &Rc<RuleSet>, rule: &Rule, events: &[Event]) -> Vec<Alert> {
    let mut core = Core::sharing(Rc::clone(rules), Trust::default());
    events
        .iter()
        .flat_map(|event| core.handle(event))
        .filter_map(|finding| match finding {
            Finding::Alert(alert) if alert.rule.id == rule.id => Some(*alert),
            _ => None,
        })
        .collect()
}

fn wrong_with(rules: &Rc<RuleSet>, rule: &Rule, path: &Path, is_chain: bool) -> Option<String> {
    if fs::metadata(path).unwrap().len() > LARGEST {
        return Some(format!("is larger than {LARGEST} bytes"));
    }
    let recorded = events(path);
    let found = alerts(rules, rule, &recorded);
    let Some(alert) = found.first() else {
        return Some("the rule is silent on its recording".to_owned());
    };
    let name = alert.package.as_ref().map(|p| p.name.as_str());
    // What the step of a CI job does is no package's.
    let nobodys = ["step-", "ci-worker-"]
        .iter()
        .any(|of| slug(rule).starts_with(of));
    let expected = (!nobodys && !BY_THE_MANAGER.contains(&slug(rule))).then_some("replica");
    // A chain's branch is that of the link that ends it.
    let branch = if is_chain {
        alert.detection_branch
    } else {
        rule.branch
    };
    if (alert.detection_branch, alert.level, name) != (branch, rule.level, expected) {
        return Some(format!(
            "is {:?} {:?} of package {name:?}",
            alert.detection_branch, alert.level
        ));
    }
    if is_chain && alert.links.len() < 2 {
        return Some(format!("lists {} links", alert.links.len()));
    }
    if !alert.completeness.complete {
        return Some(format!("is incomplete: {:?}", alert.completeness));
    }
    let Some(near) = trial_of(rule).recorded else {
        return Some("has no recorded_near_miss".to_owned());
    };
    match near.apply(&recorded) {
        Err(why) => Some(format!("recorded_near_miss: {why}")),
        Ok(near) if !alerts(rules, rule, &near).is_empty() => {
            Some("finds its near miss".to_owned())
        }
        Ok(_) => None,
    }
}

#[test]
fn rules_find_what_was_recorded_and_not_what_differs_in_one_value() {
    let rules = Rc::new(shipped());
    let mut wrong = Vec::new();
    let chains = rules.chains().iter().map(|chain| &*chain.rule.id);
    let chains: Vec<&str> = chains.collect();
    for rule in rules.described() {
        let is_chain = chains.contains(&&*rule.id);
        let path = recording(rule);
        let why = match path.is_file() {
            true => wrong_with(&rules, rule, &path, is_chain),
            false => Some("was never tried on the real thing: tests/replicas".to_owned()),
        };
        wrong.extend(why.map(|why| format!("{}: {why}", slug(rule))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn recordings_name_no_machine() {
    for rule in shipped().described() {
        let path = recording(rule);
        let first = serde_json::to_value(&events(&path)[0]).unwrap();
        assert_eq!(first["event"], "start", "{}", slug(rule));
        assert_eq!(first["host"]["name"], "runner", "{}", slug(rule));
        let text = fs::read_to_string(&path).unwrap();
        for here in ["/root/", "pkgwarden-replicas-"] {
            assert!(!text.contains(here), "{} holds {here}", slug(rule));
        }
    }
}
