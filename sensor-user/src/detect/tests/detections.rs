//! `docs/detections.md`: what is found, by which rules, and on what they were tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::shipped::{rules_folder, shipped, slug, test_of};
use super::*;
use crate::detect::Rule;
use crate::detect::yaml::{Data, Node, SourceFile};

const HEAD: &str = "# Detections\n\n\
    Made from `rules/` by `UPDATE_DETECTIONS=1 cargo test -p sensor-user --lib detections`, which \
    checks it otherwise.\nWhat a rule looks for, its playbook and its honest causes: `pkgwarden rules \
    show NAME`.\n\n\
    A *capture* is what a real kernel and real npm, pip, node or python gave when a harmless replica \
    (`tests/replicas`)\ndid it; beside it stands the one value with which the rule is silent. Every rule \
    and chain has one.\n";

/// A value for the near miss's column.
fn shown(node: &Node) -> String {
    let text = match &node.data {
        Data::Text(text) => text.clone(),
        Data::Null => "absent".to_owned(),
        Data::Bool(flag) => flag.to_string(),
        Data::Integer(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    text.replace('|', "\\|").replace('\n', " ")
}

fn word(value: impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap();
    json.as_str().unwrap().to_owned()
}

/// What a rule was tried on.
fn tried(rule: &Rule) -> (String, String) {
    let name = slug(rule);
    let test = test_of(rule);
    let near = test.get("recorded_near_miss").unwrap();
    let at = near.get("at").unwrap().text().unwrap();
    let at = at
        .rsplit('/')
        .find(|part| part.parse::<u32>().is_err())
        .unwrap();
    let to = shown(near.get("to").unwrap());
    (
        format!("[capture](../rules/tests/{name}.ndjson)"),
        format!("{at}: `{to}`"),
    )
}

fn row(technique: &str, rule: &Rule) -> String {
    let (capture, near) = tried(rule);
    let tags = rule
        .tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("attack.t"));
    let tags: Vec<_> = tags
        .filter(|t| *t != "1204.005")
        .map(|t| format!("T{t}"))
        .collect();
    format!(
        "| {technique} | [{}](../rules/{}) | {} | {} | {} | {capture} | {near} |\n",
        slug(rule),
        rule.file,
        word(rule.level),
        word(rule.confidence),
        tags.join(", ")
    )
}

fn page() -> String {
    let rules = shipped();
    let by_slug: BTreeMap<&str, &Rule> = rules.described().map(|r| (slug(r), r)).collect();
    let file = SourceFile {
        name: "techniques.yml".to_owned(),
        text: fs::read_to_string(rules_folder().join("lists/techniques.yml")).unwrap(),
    };
    let techniques = Node::documents(&file).unwrap().remove(0);
    let mut used = BTreeSet::new();
    let mut page = HEAD.to_owned();
    let of_chains = rules.chains().len();
    let _ = writeln!(
        page,
        "\n{} rules and {of_chains} chains of them.",
        rules.rules().len()
    );
    let table = "| technique | rule | level | confidence | ATT&CK | tried on | silent with |\n\
                 | --- | --- | --- | --- | --- | --- | --- |\n";
    for (branch, list) in techniques.map().unwrap() {
        let _ = write!(page, "\n## {}\n\n{table}", branch.text().unwrap());
        let mut misses = Vec::new();
        for entry in list.items() {
            let technique = entry.get("technique").unwrap().text().unwrap();
            let mut shown = technique;
            for name in entry.get("rules").unwrap().items() {
                let name = name.text().unwrap();
                let rule = by_slug
                    .get(name)
                    .unwrap_or_else(|| panic!("no rule {name}"));
                used.insert(name.to_owned());
                page.push_str(&row(shown, rule));
                shown = "";
            }
            if let Some(what) = entry.get("misses") {
                misses.push(format!("- {technique}: {}\n", what.text().unwrap()));
            }
        }
        if !misses.is_empty() {
            let _ = write!(page, "\nNot seen:\n\n{}", misses.concat());
        }
    }
    let unlisted: Vec<_> = by_slug
        .keys()
        .filter(|name| !used.contains(**name))
        .collect();
    assert!(
        unlisted.is_empty(),
        "rules/lists/techniques.yml lacks {unlisted:?}"
    );
    page
}

#[test]
fn the_page_of_detections_says_what_the_rules_are() {
    let path = rules_folder().join("../docs/detections.md");
    let page = page();
    if std::env::var_os("UPDATE_DETECTIONS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/detections.md is out of date; write it with\n  \
         UPDATE_DETECTIONS=1 cargo test -p sensor-user --lib detections"
    );
}
