//! Every shipped rule gets the events it can match: the kernel's filter lets them through.

use super::shipped::{positives, rules_folder, shipped, slug};
use super::*;
use crate::detect::yaml::{Data, Node, SourceFile};
use crate::detect::{Category, Field, Rule, Subject, Value};
use crate::event::{KEY_BYTES, Operations, WatchKey};

const PATHS: [Field; 3] = [
    Field::TargetFilename,
    Field::FileName,
    Field::SourceFilename,
];

/// Paths of a subject; a rename has two, of which the kernel needs to know one.
fn paths(subject: &Subject) -> Vec<String> {
    PATHS
        .iter()
        .filter_map(|field| match subject.get(*field) {
            Some(Value::Text(path)) => Some(path.to_string()),
            _ => None,
        })
        .collect()
}

fn operations(subject: &Subject) -> Operations {
    match subject.category {
        Category::FileAccess => Operations::READ,
        Category::FileRename => Operations::METADATA,
        Category::FileDelete => Operations::REMOVE,
        _ => match subject.get(Field::FileOperation) {
            Some(Value::Text(word)) if &**word == "write" => Operations::WRITE,
            Some(Value::Text(word))
                if matches!(&**word, "chmod" | "rename" | "link" | "symlink") =>
            {
                Operations::METADATA
            }
            _ => Operations::CREATE,
        },
    }
}

/// Paths that the rule's own literals describe: `contains`, `startswith` and `endswith` filled up,
/// in the rule's spelling and in capitals.
fn derived(rule: &Rule) -> Vec<(Field, String)> {
    let file = SourceFile {
        name: rule.file.clone(),
        text: fs::read_to_string(rules_folder().join(&rule.file)).unwrap(),
    };
    let document = Node::documents(&file).unwrap().remove(0);
    let mut found = Vec::new();
    collect(document.get("detection").unwrap(), &mut found);
    found
}

fn collect(node: &Node, found: &mut Vec<(Field, String)>) {
    match &node.data {
        Data::List(items) => items.iter().for_each(|item| collect(item, found)),
        Data::Map(entries) => {
            for (key, value) in entries {
                let mut parts = key.text().unwrap().split('|');
                let field = parts.next().unwrap().parse::<Field>();
                match (field, parts.next()) {
                    (Ok(field), operator) if PATHS.contains(&field) => {
                        let literals = value.items().iter().filter_map(Node::text);
                        found.extend(
                            literals
                                .flat_map(|literal| fill(literal, operator))
                                .map(|path| (field, path)),
                        );
                    }
                    (Ok(_), _) => {}
                    (Err(_), _) => collect(value, found),
                }
            }
        }
        _ => {}
    }
}

fn fill(literal: &str, operator: Option<&str>) -> Vec<String> {
    let plain = literal.replace('*', "/a/b").replace('?', "c");
    let paths = match operator {
        None => vec![plain],
        Some("contains") => vec![
            format!("/home/a{plain}b"),
            format!("/home/a{plain}b/c.pth"),
            format!("{plain}.pth"),
            format!("/usr/lib/python3{plain}x/id_rsa"),
        ],
        Some("startswith") => vec![format!("{plain}b"), format!("{plain}b/c")],
        Some("endswith") => vec![
            format!("/home/a{plain}"),
            plain.clone(),
            format!("/home/a/.config/google-chrome/x{plain}"),
            format!("/home/a/.mozilla/firefox/x{plain}"),
            format!("/v/site-packages/x{plain}"),
        ],
        Some(_) => vec![],
    };
    let capitals: Vec<_> = paths.iter().map(|path| path.to_uppercase()).collect();
    paths.into_iter().chain(capitals).collect()
}

#[test]
fn whatever_a_shipped_rule_matches_of_its_own_literals_is_reported() {
    let rules = shipped();
    let watch = rules.watch_set();
    let mut matched = 0;
    for rule in rules.rules() {
        let is_file = matches!(
            rule.category,
            Category::FileEvent
                | Category::FileAccess
                | Category::FileRename
                | Category::FileDelete
        );
        if !is_file {
            continue;
        }
        let mut of_rule = 0;
        for (_, positive) in positives(rule) {
            let mut subjects = vec![positive.clone()];
            for (field, path) in derived(rule) {
                let mut subject = positive.clone();
                subject.set(field, Some(path));
                subjects.push(subject);
            }
            for subject in subjects {
                let hits = rules.evaluate(&subject);
                if !hits.iter().any(|hit| hit.rule.id == rule.id) {
                    continue;
                }
                of_rule += 1;
                let paths = paths(&subject);
                assert!(
                    paths
                        .iter()
                        .any(|path| watch.passes(path.as_bytes(), operations(&subject))),
                    "{}: {paths:?} is not reported",
                    slug(rule)
                );
            }
        }
        assert!(of_rule > 0, "{}", slug(rule));
        matched += of_rule;
    }
    assert!(matched > 1000, "only {matched} events matched");
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

/// What an install does by the thousand must stay in the kernel.
#[test]
fn unpacking_and_importing_packages_is_not_reported() {
    let watch = shipped().watch_set();
    // Renames and mode changes are reported of every file in any case; to change a file that is there is
    // no unpacking.
    let unpacked = Operations::READ | Operations::CREATE;
    for path in [
        "/home/a/p/node_modules/eslint/lib/rules/indent.js",
        "/home/a/p/node_modules/eslint/README.md",
        "/v/lib/python3.11/site-packages/pip/_internal/cli/main.py",
        "/v/lib/python3.11/site-packages/numpy/core/_multiarray_umath.so",
        "/home/a/.local/lib/python3.11/site-packages/requests/api.py",
        "/home/a/.npm/_cacache/content-v2/sha512/00/11/2233",
        "/home/a/.cache/pip/http/a/b/c",
        "/home/a/.cargo/registry/src/index/serde-1.0.0/src/lib.rs",
        "/home/a/p/.git/objects/ab/cdef",
        "/home/a/code/p/src/config/index.ts",
    ] {
        assert!(!watch.passes(path.as_bytes(), unpacked), "{path}");
    }
}

#[test]
fn entries_are_what_the_kernel_can_hold() {
    for entry in shipped().watch_set().entries {
        match &entry.key {
            WatchKey::Component(name)
            | WatchKey::BasenamePrefix(name)
            | WatchKey::BasenameSuffix(name) => {
                assert!((1..=KEY_BYTES).contains(&name.len()), "{entry:?}");
                assert!(name.is_ascii() && !name.contains(&b'/'), "{entry:?}");
                assert!(!name.iter().any(u8::is_ascii_uppercase), "{entry:?}");
            }
            WatchKey::Any => {}
        }
    }
}
