use super::*;
use crate::detect::{Branch, Category, Confidence, Field, Level, Subject};

fn subject(category: Category, fields: &[(Field, &str)]) -> Subject {
    let mut subject = Subject::new(category);
    for (field, value) in fields {
        subject.set(*field, Some(*value));
    }
    subject
}

#[test]
fn a_rule_is_asked_only_about_its_category_and_says_what_matched() {
    let folder = Folder::new(&[
        (
            "a.yml",
            &rule("file_access", 1, "FileName|endswith: '/Login Data'"),
        ),
        (
            "b.yml",
            &rule("file_event", 2, "TargetFilename|endswith: '/Login Data'"),
        ),
    ]);
    let rules = folder.load().unwrap();
    let event = subject(
        Category::FileAccess,
        &[(Field::FileName, "/home/a/login data")],
    );
    let hits = rules.evaluate(&event);
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].rule.title, "Rule 1");
    assert_eq!(hits[0].rule.level, Level::High);
    let [matched] = &hits[0].matched[..] else {
        panic!("{:?}", hits[0].matched)
    };
    assert_eq!(
        (&*matched.selection, &*matched.field, &*matched.value),
        ("selection", "FileName", "/home/a/login data")
    );
}

#[test]
fn flags_and_numbers_match_as_yaml_writes_them_and_as_text() {
    let matching = |selection: &str| {
        let folder = Folder::new(&[("a.yml", &rule("network_connection", 1, selection))]);
        let rules = folder.load().unwrap();
        let mut event = Subject::new(Category::NetworkConnection);
        event.set(Field::DestinationPort, Some(4444_u32));
        event.set(Field::DestinationTrusted, Some(true));
        rules.evaluate(&event).len() == 1
    };
    assert!(matching("DestinationPort: 4444"));
    assert!(matching("DestinationPort: '4444'"));
    assert!(matching("DestinationPort|gt: 4443"));
    assert!(!matching("DestinationPort|gt: 4444"));
    assert!(matching("DestinationTrusted: true"));
    assert!(matching("DestinationTrusted: 'true'"));
    assert!(!matching("DestinationTrusted: false"));
    assert!(matching("DestinationHostname: null"));
    assert!(matching("DestinationHostname|exists: false"));
}

#[test]
fn a_rule_without_our_key_gets_its_categorys_branch_and_that_branchs_playbook() {
    let folder = Folder::new(&[("a.yml", &rule("file_access", 1, "FileName: /etc/shadow"))]);
    let rules = folder.load().unwrap();
    let rule = &rules.rules()[0];
    assert_eq!(rule.branch, Branch::CredentialStoreAccess);
    assert_eq!(rule.confidence, Confidence::Medium);
    assert!(!rule.playbook.investigate.is_empty());
    assert!(!rule.playbook.respond.is_empty());
    assert!(!rule.playbook.hunt.is_empty());
}

#[test]
fn our_key_sets_branch_confidence_and_playbook() {
    let text = rule("file_access", 1, "FileName: /etc/shadow")
        + "pkgwarden:\n  branch: MaliciousLibraryC2Callback\n  confidence: high\n  playbook:\n    \
           respond:\n      - Pull the\n        plug.\n";
    let rules = Folder::new(&[("a.yml", &text)]).load().unwrap();
    let rule = &rules.rules()[0];
    assert_eq!(rule.branch, Branch::MaliciousLibraryC2Callback);
    assert_eq!(rule.confidence, Confidence::High);
    assert_eq!(rule.playbook.respond, ["Pull the plug."]);
}

const FILTER: &str = "title: Ours\nid: 00000000-0000-4000-8000-0000000000ff\nlogsource:\n  \
    category: file_access\n  product: linux\nfilter:\n  rules:\n    - \
    00000000-0000-4000-8000-000000000001\n  selection:\n    User: builder\n  condition: not selection\n";

#[test]
fn a_filter_marks_the_hits_of_the_rules_it_names_and_no_others() {
    let folder = Folder::new(&[
        ("a.yml", &rule("file_access", 1, "FileName: /etc/shadow")),
        ("b.yml", &rule("file_access", 2, "FileName: /etc/shadow")),
        ("filters/f.yml", FILTER),
    ]);
    let rules = folder.load().unwrap();
    let asked = |user| {
        let event = subject(
            Category::FileAccess,
            &[(Field::FileName, "/etc/shadow"), (Field::User, user)],
        );
        let hits = rules.evaluate(&event);
        hits.into_iter()
            .map(|hit| hit.suppressed_by)
            .collect::<Vec<_>>()
    };
    let id = "00000000-0000-4000-8000-0000000000ff".to_owned();
    assert_eq!(asked("builder"), [Some(id), None]);
    assert_eq!(asked("mallory"), [None, None]);
}

#[test]
fn the_digest_changes_with_any_rule() {
    let one = Folder::new(&[("a.yml", &rule("file_access", 1, "FileName: /a"))]);
    let before = one.load().unwrap().sha256().to_owned();
    assert_eq!(before.len(), 64);
    assert_eq!(one.load().unwrap().sha256(), before);
    std::fs::write(
        one.path().join("a.yml"),
        rule("file_access", 1, "FileName: /b"),
    )
    .unwrap();
    assert_ne!(one.load().unwrap().sha256(), before);
}

#[test]
fn matched_fields_come_in_the_same_order_each_time() {
    let text = "title: Many\nid: 00000000-0000-4000-8000-000000000001\nlogsource:\n  category: \
                process_creation\ndetection:\n  selection_a:\n    Image|endswith: /sh\n  \
                selection_b:\n    User: root\n  selection_c:\n    CommandLine|contains: id\n  \
                condition: 1 of selection_*\n";
    let event = subject(
        Category::ProcessCreation,
        &[
            (Field::Image, "/bin/sh"),
            (Field::User, "root"),
            (Field::CommandLine, "sh -c id"),
        ],
    );
    let folder = Folder::new(&[("a.yml", text)]);
    let once = folder.load().unwrap().evaluate(&event)[0].matched.clone();
    assert_eq!(once.len(), 3);
    for _ in 0..20 {
        assert_eq!(folder.load().unwrap().evaluate(&event)[0].matched, once);
    }
}
