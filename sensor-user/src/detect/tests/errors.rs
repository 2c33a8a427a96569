//! What an author of rules gets wrong, and what is said about it.

use super::*;

/// The problems of one rule file.
fn of(text: &str) -> String {
    Folder::new(&[("a.yml", text)]).errors()
}

fn with(selection: &str) -> String {
    of(&rule("process_creation", 1, selection))
}

#[track_caller]
fn says(found: &str, expected: &str) {
    assert!(
        found.contains(expected),
        "{found}\n-- should contain --\n{expected}"
    );
    assert_eq!(found.matches(": error: ").count(), 1, "{found}");
}

#[test]
fn broken_yaml() {
    says(&of("title: 'open\n"), "a.yml:");
    says(&of("title: a\n  b: c\n"), "not valid YAML");
}

#[test]
fn a_key_twice() {
    let text = rule("process_creation", 1, "Image: /a\n    Image: /b");
    assert!(of(&text).contains("a.yml:8:5: error: "), "{}", of(&text));
    assert!(of(&text).contains("duplicate entry"));
    let with_another = text.replace("level: high", "level: hihg");
    assert!(of(&with_another).contains("duplicate entry"));
    assert!(of(&with_another).contains("unknown level"));
}

#[test]
fn unknown_key() {
    let text = rule("process_creation", 1, "Image: /a") + "autor: me\n";
    says(
        &of(&text),
        "a.yml:11:1: error: unknown key `autor`; did you mean `author`?\n11 | autor: me\n   | ^^^^^\n",
    );
}

#[test]
fn unknown_field() {
    says(
        &with("Imgae|endswith: /sh"),
        "a.yml:8:5: error: unknown field `Imgae`; did you mean `Image`?\n8 |     Imgae|endswith: /sh\n  |     ^^^^^\n",
    );
}

#[test]
fn field_of_another_category() {
    says(
        &with("DestinationPort: 4444"),
        "a.yml:8:5: error: events of process_creation have no field `DestinationPort`; it belongs to network_connection",
    );
}

#[test]
fn unknown_modifier() {
    says(
        &with("Image|endwith: /sh"),
        "a.yml:8:11: error: unknown modifier `endwith`; did you mean `endswith`?\n8 |     Image|endwith: /sh\n  |           ^^^^^^^\n",
    );
    says(
        &with("'Image|endwith': /sh"),
        "a.yml:8:12: error: unknown modifier",
    );
    says(
        &with("Image|expand: '%shells%'"),
        "`expand` is not supported",
    );
}

#[test]
fn modifiers_that_do_not_go_together() {
    says(
        &with("Image|contains|re: a"),
        "a.yml:8:5: error: `Image|contains|re`: at most one operator",
    );
}

#[test]
fn bad_level_and_status() {
    let text = rule("process_creation", 1, "Image: /a").replace("level: high", "level: hihg");
    says(
        &of(&text),
        "a.yml:10:8: error: unknown level `hihg`; known are informational, low, medium, high, critical; did you mean `high`?",
    );
    let text = rule("process_creation", 1, "Image: /a") + "status: experimentel\n";
    says(&of(&text), "did you mean `experimental`?");
}

#[test]
fn bad_regex() {
    says(&with("Image|re: '['"), "a.yml:8:15: error:");
    says(
        &with("Image|re:\n      - ok\n      - '(?<!a)b'"),
        "a.yml:10:9: error:",
    );
    says(
        &with("Image|re:\n      - ok\n      - 'a('"),
        "a.yml:10:9: error:",
    );
}

#[test]
fn values_of_the_wrong_kind() {
    says(&with("ProcessId|gt: many"), "a.yml:8:19: error:");
    says(&with("Image|exists: maybe"), "a.yml:8:19: error:");
    says(&with("Image:\n      a: b"), "a value or a list of values");
}

#[test]
fn bad_condition() {
    let text = rule("process_creation", 1, "Image: /a");
    let text = text.replace("condition: selection", "condition: selection and");
    says(&of(&text), "a.yml:9:");
    says(&of(&text), "bad condition");
}

#[test]
fn a_condition_that_names_nothing() {
    let text = rule("process_creation", 1, "Image: /a");
    let wrong = text.replace("condition: selection", "condition: not selecton");
    says(
        &of(&wrong),
        "a.yml:9:18: error: no selection is called `selecton`; did you mean `selection`?\n9 |   condition: not selecton\n  |                  ^^^^^^^^\n",
    );
    let wrong = text.replace("condition: selection", "condition: 1 of filter_*");
    says(
        &of(&wrong),
        "a.yml:9:19: error: no selection fits `filter_*`",
    );
    let wrong = text.replace("  condition: selection\n", "");
    says(&of(&wrong), "`condition` is missing");
}

#[test]
fn missing_id_title_detection_logsource() {
    let text = rule("process_creation", 1, "Image: /a");
    says(
        &of(&text.replace("title: Rule 1\n", "")),
        "`title` is missing",
    );
    let without = text.replace("id: 00000000-0000-4000-8000-000000000001\n", "");
    says(&of(&without), "`id` is missing");
    let bad = text.replace("0000-4000", "zzzz-4000");
    says(&of(&bad), "is not a UUID");
    let without = text.replace("  category: process_creation\n", "");
    says(&of(&without), "`category` is missing");
}

#[test]
fn unknown_category_and_other_products() {
    says(
        &of(&rule("process_creatoin", 1, "Image: /a")),
        "a.yml:4:13: error: unknown category `process_creatoin`",
    );
    let windows = rule("process_creation", 1, "Image: /a").replace("linux", "windows");
    says(&of(&windows), "`product` must be `linux`");
}

#[test]
fn an_id_twice() {
    let folder = Folder::new(&[
        ("a.yml", &rule("process_creation", 1, "Image: /a")),
        ("b.yml", &rule("process_creation", 1, "Image: /b")),
    ]);
    let found = folder.errors();
    says(
        &found,
        "b.yml:2:5: error: the id `00000000-0000-4000-8000-000000000001` is taken by",
    );
    says(&found, "a.yml:2");
}

#[test]
fn a_filter_for_no_rule() {
    let filter = "title: F\nid: 00000000-0000-4000-8000-0000000000ff\nlogsource:\n  category: \
                  process_creation\nfilter:\n  rules:\n    - Rule 11\n  selection:\n    User: a\n  \
                  condition: not selection\n";
    let rule = rule("process_creation", 1, "Image: /a");
    let found = Folder::new(&[("a.yml", &rule), ("f.yml", filter)]).errors();
    says(
        &found,
        "f.yml:7:7: error: no rule is called `Rule 11`; did you mean `Rule 1`?",
    );
    let any = filter.replace("  rules:\n    - Rule 11\n", "  rules: any\n");
    let found = Folder::new(&[("a.yml", &rule), ("f.yml", &any)]).errors();
    says(&found, "f.yml:6:10: error: `rules` must list the ids");
    let other = filter
        .replace("process_creation", "file_event")
        .replace("Rule 11", "Rule 1");
    let found = Folder::new(&[("a.yml", &rule), ("f.yml", &other)]).errors();
    says(&found, "a rule of another category");
}

#[test]
fn wrong_words_in_our_key() {
    let text =
        rule("process_creation", 1, "Image: /a") + "pkgwarden:\n  branch: CredentialStoreAcess\n";
    says(&of(&text), "a.yml:12:11: error: unknown branch");
    let text =
        rule("process_creation", 1, "Image: /a") + "pkgwarden:\n  playbook:\n    respnd: [a]\n";
    says(&of(&text), "did you mean `respond`?");
}

#[test]
fn all_mistakes_of_all_files_come_at_once() {
    let folder = Folder::new(&[
        (
            "a.yml",
            &rule("process_creation", 1, "Imgae|endwith: /sh").replace("high", "hihg"),
        ),
        ("sub/b.yaml", &rule("file_acess", 2, "FileName: /a")),
        ("c.yml", "title: [\n"),
    ]);
    let found = folder.errors();
    assert_eq!(found.matches(": error: ").count(), 5, "{found}");
}

#[test]
fn a_folder_that_is_not_there_and_a_file_that_is_no_text() {
    let missing = RuleSet::load(&Sources {
        rule_dirs: vec!["/nonexistent/rules".into()],
        ..Sources::default()
    });
    assert!(missing.unwrap_err().to_string().contains("can't be read"));
    let folder = Folder::new(&[]);
    fs::write(folder.path().join("a.yml"), b"title: \xff").unwrap();
    says(&folder.errors(), "not UTF-8");
}
