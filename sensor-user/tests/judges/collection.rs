//! The public collection's own rules: those of Sigma's three official Linux categories load as they are,
//! and get their events.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pkgwarden::detect::{Category, RuleSet, Sources};

use super::fetched;

/// The categories, and how many rules of them the collection has.
const CATEGORIES: [(Category, usize); 3] = [
    (Category::ProcessCreation, 122),
    (Category::NetworkConnection, 5),
    (Category::FileEvent, 8),
];

fn folders(collection: &Path) -> Vec<PathBuf> {
    let linux = collection.join("rules/linux");
    let names = CATEGORIES.iter().map(|(category, _)| category.name());
    names.map(|name| linux.join(name)).collect()
}

#[test]
fn every_linux_rule_of_the_public_collection_loads_and_is_fed() {
    let test = "collection::every_linux_rule_of_the_public_collection_loads_and_is_fed";
    let Some(collection) = fetched("collection", test) else {
        return;
    };
    let rules = RuleSet::load(&Sources {
        rule_dirs: folders(&collection),
        ..Sources::default()
    })
    .unwrap_or_else(|errors| panic!("{errors}"));
    for (category, count) in CATEGORIES {
        let of_category = rules
            .rules()
            .iter()
            .filter(|rule| rule.category == category);
        assert_eq!(of_category.count(), count, "{}", category.name());
    }
    // Of files the kernel reports what entries name: each rule on files has one.
    for rule in rules.rules() {
        let on_files = rule.category == Category::FileEvent;
        assert_eq!(
            !rules.watch_entries(rule).is_empty(),
            on_files,
            "{}",
            rule.title
        );
    }
}

#[test]
fn they_are_given_with_rules_and_one_that_needs_every_file_says_so() {
    let test = "collection::they_are_given_with_rules_and_one_that_needs_every_file_says_so";
    let Some(collection) = fetched("collection", test) else {
        return;
    };
    let mut check = Command::new(env!("CARGO_BIN_EXE_pkgwarden"));
    check.args(["rules", "check"]);
    for folder in folders(&collection) {
        check.arg("--rules").arg(folder);
    }
    let output = check.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{wrong}");
    let rules = RuleSet::load(&Sources {
        shipped: true,
        rule_dirs: folders(&collection),
        ..Sources::default()
    })
    .unwrap();
    for rule in rules.rules_that_need_any() {
        let price = format!("price: `{}` has no", rule.title);
        assert!(said.contains(&price), "no `{price}` in:\n{said}");
    }
    let files = fs::read_dir(collection.join("rules/linux/file_event")).unwrap();
    assert!(files.count() > 0);
}
