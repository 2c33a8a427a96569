//! The shipped rules: each has a test of what it finds and of what comes close.
//!
//! `rules/tests/<rule>.yml` holds `positive` (the fields of an event that must match), `near_miss`
//! (the one field, and its other value, with which it must not), and lists of variations of the
//! positive: `also` (must match too) and `silent` (must not), each saying `why`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;
use crate::detect::yaml::{Data, Node, SourceFile};
use crate::detect::{Branch, Category, Field, Level, Rule, Subject, Trial};

pub(super) fn shipped() -> RuleSet {
    RuleSet::load(&Sources {
        shipped: true,
        ..Sources::default()
    })
    .unwrap_or_else(|errors| panic!("{errors}"))
}

pub(super) fn rules_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

pub(super) fn slug(rule: &Rule) -> &str {
    let name = rule.file.rsplit('/').next().unwrap();
    name.strip_suffix(".yml").unwrap()
}

/// The test of a rule.
pub(super) fn test_of(rule: &Rule) -> Node {
    let path = rules_folder().join(format!("tests/{}.yml", slug(rule)));
    let file = SourceFile {
        name: path.display().to_string(),
        text: fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("rule {} has no test {}", rule.title, path.display())),
    };
    Node::documents(&file).unwrap().remove(0)
}

pub(super) fn trial_of(rule: &Rule) -> Trial {
    let name = format!("tests/{}.yml", slug(rule));
    let text = fs::read_to_string(rules_folder().join(&name))
        .unwrap_or_else(|_| panic!("rule {} has no test {name}", rule.title));
    Trial::read(rule, &name, &text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The events a rule must match, with why.
pub(super) fn positives(rule: &Rule) -> Vec<(String, Subject)> {
    trial_of(rule).finds
}

/// The events it must not.
pub(super) fn silents(rule: &Rule) -> Vec<(String, Subject)> {
    trial_of(rule).silent
}

fn hits(rules: &RuleSet, rule: &Rule, subject: &Subject) -> bool {
    rules
        .evaluate(subject)
        .iter()
        .any(|hit| hit.rule.id == rule.id && hit.suppressed_by.is_none())
}

#[test]
fn every_rule_finds_its_positives_and_not_its_near_miss() {
    let rules = shipped();
    let mut wrong = Vec::new();
    for rule in rules.rules() {
        for (why, subject) in positives(rule) {
            if !hits(&rules, rule, &subject) {
                wrong.push(format!("{}: does not find: {why}", slug(rule)));
            }
        }
        let test = test_of(rule);
        let field = test.get("near_miss").unwrap().get("field").unwrap();
        let field = field.text().unwrap();
        let text = fs::read_to_string(rules_folder().join(&rule.file)).unwrap();
        assert!(
            text.contains(field),
            "{} does not look at {field}",
            slug(rule)
        );
        for (why, subject) in silents(rule) {
            if hits(&rules, rule, &subject) {
                wrong.push(format!("{}: is not silent: {why}", slug(rule)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_filter_silences_something_that_a_test_tells() {
    let rules = shipped();
    let mut used = BTreeSet::new();
    for rule in rules.rules() {
        for (_, subject) in silents(rule) {
            let hits = rules.evaluate(&subject);
            used.extend(hits.into_iter().filter_map(|hit| hit.suppressed_by));
        }
    }
    for filter in rules.filters() {
        assert!(
            used.contains(&filter.id),
            "{} ({})",
            filter.title,
            filter.file
        );
    }
    assert!(!rules.filters().is_empty());
}

#[test]
fn every_test_belongs_to_a_rule() {
    let known: BTreeSet<String> = shipped().described().map(|r| slug(r).to_owned()).collect();
    for entry in fs::read_dir(rules_folder().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(known.contains(&name), "{} tests no rule", path.display());
    }
}

#[test]
fn each_branch_has_at_least_five_rules_and_each_rule_all_its_texts() {
    let rules = shipped();
    for branch in [
        Branch::PackageInstallSpawnedSuspiciousProcess,
        Branch::MaliciousLibraryC2Callback,
        Branch::PackageInstallerDroppedExecutable,
        Branch::CredentialStoreAccess,
    ] {
        let of_branch = rules.rules().iter().filter(|rule| rule.branch == branch);
        assert!(of_branch.count() >= 5, "{branch:?}");
    }
    for rule in rules.described() {
        let name = slug(rule);
        assert!(!rule.description.is_empty(), "{name}");
        assert!(!rule.references.is_empty(), "{name}");
        assert!(!rule.false_positives.is_empty(), "{name}");
        assert!(rule.tags.contains(&"attack.t1204.005".to_owned()), "{name}");
        assert!(!rule.playbook.respond.is_empty(), "{name}");
        assert!(rule.title.chars().count() <= 78, "{name}: {}", rule.title);
    }
}

#[test]
fn no_shipped_rule_needs_every_file() {
    let rules = shipped();
    let any: Vec<_> = rules
        .rules_that_need_any()
        .iter()
        .map(|rule| slug(rule))
        .collect();
    assert!(any.is_empty(), "{any:?}");
}

#[test]
fn what_an_honest_install_does_raises_nothing_at_medium() {
    let rules = shipped();
    let file = SourceFile {
        name: "honest.yml".to_owned(),
        text: include_str!("honest.yml").to_owned(),
    };
    let mut wrong = Vec::new();
    for event in Node::documents(&file).unwrap()[0].items() {
        let why = event.get("why").unwrap().text().unwrap();
        let category = event.get("category").unwrap().text().unwrap();
        let mut subject = Subject::new(Category::from_name(category).expect("a category"));
        for (name, value) in event.get("set").unwrap().map().unwrap() {
            let field: Field = name
                .text()
                .unwrap()
                .parse()
                .unwrap_or_else(|_| panic!("{name:?}"));
            assert!(field.is_in(subject.category), "{why}: {name:?}");
            match &value.data {
                Data::Bool(flag) => subject.set(field, Some(*flag)),
                Data::Integer(number) => subject.set(field, Some(*number)),
                Data::Text(text) => subject.set(field, Some(text.as_str())),
                other => panic!("{other:?}"),
            }
        }
        for hit in rules.evaluate(&subject) {
            if hit.rule.level >= Level::Medium && hit.suppressed_by.is_none() {
                wrong.push(format!("{why}: {} {:?}", slug(hit.rule), hit.matched));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
