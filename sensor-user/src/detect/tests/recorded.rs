//! The shipped rules on what a real kernel and real package managers gave.
//!
//! `rules/tests/<rule>.ndjson` is the part of a recorded capture that the rule's alert needs, made
//! by `tests/replicas/record.py`. `recorded_near_miss` in `rules/tests/<rule>.yml` names one value
//! of one event in it, and the other value with which the rule must be silent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::rc::Rc;

use serde_json::Value as Json;

use super::shipped::{rules_folder, shipped, slug, test_of};
use super::*;
use crate::alert::schema::Alert;
use crate::core::{Core, Finding, Trust};
use crate::detect::Rule;
use crate::detect::yaml::{Data, Node};
use crate::event::Event;
use crate::event::capture::Reader;

/// Fewer recorded rules than this in a branch, and recordings have been lost.
const EACH_BRANCH: usize = 10;
/// pip itself writes what a wheel holds: no process tells whose file it is.
const BY_THE_MANAGER: &[&str] = &["python-startup-hook-in-wheel"];
/// Only what the alert needs is kept.
const LARGEST: u64 = 40 << 10;

fn recording(rule: &Rule) -> Option<std::path::PathBuf> {
    let path = rules_folder().join(format!("tests/{}.ndjson", slug(rule)));
    path.is_file().then_some(path)
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

fn json(node: &Node) -> Json {
    match &node.data {
        Data::Bool(flag) => Json::from(*flag),
        Data::Integer(number) => Json::from(*number),
        Data::Text(text) => Json::from(text.as_str()),
        other => panic!("{other:?} stands in no event"),
    }
}

/// The events with one value changed: `at` in the last event of that kind, which is the one that the
/// alert is about. `from` is what is there now; a recording made again may have another process id
/// there, then it is left out.
fn changed(events: &[Event], near: &Node) -> Result<Vec<Event>, String> {
    let text = |key| near.get(key).and_then(Node::text).expect(key);
    let (kind, at) = (text("event"), text("at"));
    let mut lines: Vec<Json> = events
        .iter()
        .map(|event| serde_json::to_value(event).unwrap())
        .collect();
    let value = lines
        .iter_mut()
        .rfind(|line| line["event"] == kind)
        .and_then(|line| line.pointer_mut(at))
        .ok_or_else(|| format!("the last {kind} event has no {at}"))?;
    if near.get("from").is_some_and(|from| json(from) != *value) {
        return Err(format!("{at} is {value}"));
    }
    *value = json(near.get("to").expect("to"));
    let changed: Vec<Event> = lines
        .into_iter()
        .map(|line| serde_json::from_value(line).unwrap())
        .collect();
    let differ = events.iter().zip(&changed).filter(|(a, b)| a != b).count();
    if differ == 1 {
        Ok(changed)
    } else {
        Err(format!("{differ} events differ"))
    }
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
    let expected = (!BY_THE_MANAGER.contains(&slug(rule))).then_some("replica");
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
    let test = test_of(rule);
    let Some(near) = test.get("recorded_near_miss") else {
        return Some("has no recorded_near_miss".to_owned());
    };
    match changed(&recorded, near) {
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
    let mut branches = BTreeMap::new();
    let chains = rules.chains().iter().map(|chain| &*chain.rule.id);
    let chains: Vec<&str> = chains.collect();
    for rule in rules.described() {
        let is_chain = chains.contains(&&*rule.id);
        let Some(path) = recording(rule) else {
            assert!(
                is_chain || test_of(rule).get("recorded_near_miss").is_none(),
                "{} has a recorded_near_miss and no recording",
                slug(rule)
            );
            continue;
        };
        *branches.entry(format!("{:?}", rule.branch)).or_insert(0) += 1;
        if let Some(why) = wrong_with(&rules, rule, &path, is_chain) {
            wrong.push(format!("{}: {why}", slug(rule)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(branches.len(), 4, "{branches:?}");
    assert!(
        branches.values().all(|&count| count >= EACH_BRANCH),
        "{branches:?}"
    );
}

#[test]
fn recordings_name_no_machine() {
    for rule in shipped().described() {
        let Some(path) = recording(rule) else {
            continue;
        };
        let first = serde_json::to_value(&events(&path)[0]).unwrap();
        assert_eq!(first["event"], "start", "{}", slug(rule));
        assert_eq!(first["host"]["name"], "runner", "{}", slug(rule));
        let text = fs::read_to_string(&path).unwrap();
        for here in ["/root/", "pkgwarden-replicas-"] {
            assert!(!text.contains(here), "{} holds {here}", slug(rule));
        }
    }
}
