//! Nothing that a rule could match is filtered out before it.

use proptest::prelude::*;

use super::*;
use crate::detect::{Category, Field, Subject};
use crate::event::{Operations, WatchEntry, WatchKey, WatchSet};

fn watch_set(category: &str, selection: &str) -> WatchSet {
    let folder = Folder::new(&[("a.yml", &rule(category, 1, selection))]);
    folder.load().unwrap().watch_set()
}

fn keys(selection: &str) -> Vec<WatchKey> {
    let set = watch_set("file_access", selection);
    set.entries.into_iter().map(|entry| entry.key).collect()
}

fn component(name: &str) -> WatchKey {
    WatchKey::Component(name.as_bytes().to_vec())
}

fn suffix(end: &str) -> WatchKey {
    WatchKey::BasenameSuffix(end.as_bytes().to_vec())
}

#[test]
fn the_most_telling_whole_component_is_chosen() {
    assert_eq!(keys("FileName|contains: '/.SSH/'"), [component(".ssh")]);
    assert_eq!(
        keys("FileName|startswith: '/home/x/.aws/'"),
        [component(".aws")]
    );
    assert_eq!(
        keys("FileName|endswith: '/.config/gh/hosts.yml'"),
        [component("hosts.yml")]
    );
    assert_eq!(
        keys("FileName: '/home/*/.kube/config'"),
        [component(".kube")]
    );
    assert_eq!(keys("FileName: '/etc/shadow'"), [component("shadow")]);
}

#[test]
fn an_ending_becomes_a_suffix_and_a_fragment_becomes_any() {
    assert_eq!(keys("FileName|endswith: '.pth'"), [suffix(".pth")]);
    assert_eq!(keys("FileName|endswith: 'a/b*.pth'"), [suffix(".pth")]);
    assert_eq!(keys("FileName|contains: 'wallet'"), [WatchKey::Any]);
    assert_eq!(keys("FileName|contains: '/wallet'"), [WatchKey::Any]);
    assert_eq!(keys("FileName|re: '/\\.ssh/'"), [WatchKey::Any]);
    // A wildcard may stand for a slash, so nothing ends at it.
    assert_eq!(keys("FileName: '/home/?.ssh?x'"), [component("home")]);
}

#[test]
fn what_has_no_one_spelling_in_ascii_is_not_used() {
    assert_eq!(
        keys("FileName|endswith: '/größe/x.kdbx'"),
        [component("x.kdbx")]
    );
    assert_eq!(keys("FileName|contains: '/größe/'"), [WatchKey::Any]);
}

#[test]
fn alternatives_add_up_and_conditions_pick_the_cheapest() {
    assert_eq!(
        keys("FileName|contains:\n      - '/.ssh/'\n      - '/.aws/'"),
        [component(".aws"), component(".ssh")]
    );
    assert_eq!(
        keys("FileName|contains|all:\n      - '/home/'\n      - '/.aws/'"),
        [component(".aws")]
    );
    assert_eq!(
        keys("FileName|contains: '/home/'\n    FileName|endswith: '/id_rsa'"),
        [component("id_rsa")]
    );
    assert_eq!(
        keys("FileName|contains:\n      - '/.ssh/'\n      - 'key'"),
        [WatchKey::Any]
    );
}

#[test]
fn categories_and_their_operations() {
    let operations =
        |category, selection: &str| watch_set(category, selection).entries[0].operations;
    let path = "TargetFilename: /etc/x";
    assert_eq!(
        operations("file_access", "FileName: /etc/x"),
        Operations::READ
    );
    assert_eq!(operations("file_rename", path), Operations::METADATA);
    assert_eq!(operations("file_delete", path), Operations::REMOVE);
    let all = Operations::WRITE | Operations::CREATE | Operations::METADATA;
    assert_eq!(operations("file_event", path), all);
    let narrowed = format!("{path}\n    FileOperation: [create, chmod]");
    assert_eq!(
        operations("file_event", &narrowed),
        Operations::CREATE | Operations::METADATA
    );
    let narrowed = format!("{path}\n    FileOperation: [write, rename, link, symlink]");
    assert_eq!(
        operations("file_event", &narrowed),
        Operations::WRITE | Operations::METADATA
    );
    assert!(
        watch_set("process_creation", "Image: /a")
            .entries
            .is_empty()
    );
}

#[test]
fn equal_keys_of_several_rules_become_one_entry() {
    let folder = Folder::new(&[
        (
            "a.yml",
            &rule("file_access", 1, "FileName|contains: /.ssh/"),
        ),
        (
            "b.yml",
            &rule("file_event", 2, "TargetFilename|contains: /.ssh/"),
        ),
        (
            "c.yml",
            &rule("file_delete", 3, "TargetFilename|contains: /.ssh/"),
        ),
    ]);
    assert_eq!(
        folder.load().unwrap().watch_set().entries,
        [WatchEntry {
            key: component(".ssh"),
            operations: Operations::all(),
        }]
    );
}

#[test]
fn letters_that_only_unicode_folds_to_ascii_neither_match_nor_pass() {
    let selection = "FileName|endswith: '/.config/kiosk'";
    let folder = Folder::new(&[("a.yml", &rule("file_access", 1, selection))]);
    let rules = folder.load().unwrap();
    for name in ["\u{212a}iosk", "kio\u{17f}k"] {
        let mut event = Subject::new(Category::FileAccess);
        event.set(Field::FileName, Some(format!("/a/.config/{name}")));
        assert!(rules.evaluate(&event).is_empty(), "{name}");
    }
}

/// A piece of a path or pattern; few letters, so that patterns and paths meet often.
fn piece() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "/", "/", "/", "a", "A", "bc", ".ssh", "id_", "*", "?", "é", "\u{212a}", "k", "i", ".",
    ])
    .prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 1..7).prop_map(|pieces| pieces.concat())
}

fn modifiers() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["", "|contains", "|startswith", "|endswith"]);
    let more = prop::sample::select(vec!["", "|all", "|cased", "|all|cased"]);
    (operator, more).prop_map(|(operator, more)| format!("{operator}{more}"))
}

/// One line of a selection.
fn item(field: &'static str) -> impl Strategy<Value = String> {
    (modifiers(), prop::collection::vec(pattern(), 1..3)).prop_map(move |(modifiers, values)| {
        let values: Vec<_> = values.iter().map(|v| format!("'{v}'")).collect();
        format!("    {field}{modifiers}: [{}]\n", values.join(", "))
    })
}

fn selection(field: &'static str) -> impl Strategy<Value = String> {
    (item(field), prop::option::of(item(field))).prop_map(|(first, second): (String, _)| {
        // The same key twice is not YAML.
        let key = |line: &str| line.split(':').next().unwrap_or("").to_owned();
        match second {
            Some(second) if key(&second) != key(&first) => first + &second,
            _ => first,
        }
    })
}

/// A path made from a pattern: what wildcards stand for is filled in.
fn fill(pattern: &str, with: &str, upper: bool) -> String {
    let path = pattern.replace('*', with).replace('?', "x");
    if upper { path.to_uppercase() } else { path }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_rule_matches_passes_the_filter(
        one in selection("TargetFilename"),
        two in selection("TargetFilename"),
        condition in prop::sample::select(vec![
            "one", "one and two", "one or two", "one and not two", "1 of them", "all of them",
            "not one", "not (one and two)", "(one or two) and one",
        ]),
        with in prop::sample::select(vec!["", "a", "/", "/a/", "a/.ssh/b"]),
        lead in prop::sample::select(vec!["", "/", "/home/", "x"]),
        tail in prop::sample::select(vec!["", "/", "/x", "y"]),
        upper: bool,
    ) {
        let text = format!(
            "title: T\nid: 00000000-0000-4000-8000-000000000001\nlogsource:\n  category: \
             file_event\ndetection:\n  one:\n{one}  two:\n{two}  condition: {condition}\n"
        );
        let rules = Folder::new(&[("a.yml", &text)]).load().map_err(|e| e.to_string()).unwrap();
        let watch = rules.watch_set();
        // Every literal of the rule is tried as a path, and all of them one after the other.
        let literals: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
        let mut paths: Vec<String> = literals.iter().map(|v| fill(v, with, upper)).collect();
        paths.push(literals.iter().map(|v| fill(v, with, upper)).collect());
        for path in paths {
            let path = format!("{lead}{path}{tail}");
            let mut event = Subject::new(Category::FileEvent);
            event.set(Field::TargetFilename, Some(path.as_str()));
            if !rules.evaluate(&event).is_empty() {
                prop_assert!(
                    watch.passes(path.as_bytes(), Operations::WRITE),
                    "{text}\n{path:?} matches, {watch:?} does not report it"
                );
            }
        }
    }
}
