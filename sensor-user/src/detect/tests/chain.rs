//! Correlations: what a file may say, and when a group of matches is a chain.

use super::*;
use crate::detect::{Category, Field, Group, Subject};

fn three() -> Vec<(String, String)> {
    ["one", "two", "three"]
        .iter()
        .zip(1..)
        .map(|(name, id)| {
            let text = rule("file_access", id, &format!("FileName: /{name}"));
            let text = text.replace("logsource:", &format!("name: {name}\nlogsource:"));
            (format!("{name}.yml"), text)
        })
        .collect()
}

fn chain(correlation: &str) -> String {
    format!(
        "title: Chain\nid: 00000000-0000-4000-8000-0000000000c0\nlevel: critical\ncorrelation:\n{correlation}"
    )
}

fn folder(correlation: &str) -> Folder {
    let mut files = three();
    files.push(("chain.yml".to_owned(), chain(correlation)));
    let files: Vec<_> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    Folder::new(&files)
}

const ALL_OF: &str = "  type: TYPE\n  rules: [one, two, three]\n  group-by: [SessionId]\n  \
                      timespan: 10s\n";

fn of_type(kind: &str) -> String {
    ALL_OF.replace("TYPE", kind)
}

/// Plays matches, each the number of a rule and a time in seconds; says after which there was a
/// chain, and of which of them.
fn play(correlation: &str, matches: &[(usize, u64)]) -> Vec<(usize, Vec<usize>)> {
    let rules = folder(correlation).load().unwrap();
    let [chain] = rules.chains() else {
        panic!("{rules:?}")
    };
    let mut group = Group::new(&chain.definition);
    let mut ends = Vec::new();
    for (at, (member, seconds)) in matches.iter().enumerate() {
        let mut subject = Subject::new(Category::FileAccess);
        subject.set(Field::FileName, Some(format!("/{}", at / 2)));
        let time = seconds * 1_000_000_000;
        let links = group.see(&chain.definition, *member, time, &subject, &at);
        ends.extend(links.map(|links| (at, links)));
    }
    ends
}

#[test]
fn an_ordered_chain_needs_its_order_and_its_time() {
    let ordered = of_type("temporal_ordered");
    assert_eq!(
        play(&ordered, &[(0, 1), (1, 2), (2, 3)]),
        [(2, vec![0, 1, 2])]
    );
    assert_eq!(play(&ordered, &[(1, 1), (0, 2), (2, 3)]), []);
    assert_eq!(play(&ordered, &[(0, 1), (1, 2), (2, 12)]), []);
    // The first one again: the chain begins later, and is not over.
    assert_eq!(
        play(&ordered, &[(0, 1), (0, 5), (1, 6), (2, 12)]),
        [(3, vec![1, 2, 3])]
    );
    // One event is not one after the other.
    assert_eq!(play(&ordered, &[(0, 1), (1, 1), (2, 2)]), []);
}

#[test]
fn an_unordered_chain_needs_all_within_its_time() {
    let together = of_type("temporal");
    assert_eq!(
        play(&together, &[(2, 1), (1, 2), (0, 3)]),
        [(2, vec![0, 1, 2])]
    );
    assert_eq!(play(&together, &[(2, 1), (1, 5), (0, 12)]), []);
    assert_eq!(
        play(&together, &[(2, 1), (1, 5), (0, 12), (2, 13)]),
        [(3, vec![1, 2, 3])]
    );
}

#[test]
fn a_temporal_condition_names_rules_or_says_how_many() {
    let named = of_type("temporal_ordered") + "  condition: (one or two) and three\n";
    assert_eq!(play(&named, &[(1, 1), (2, 2)]), [(1, vec![0, 1])]);
    assert_eq!(play(&named, &[(2, 1), (0, 2)]), []);
    let pattern = of_type("temporal") + "  condition: 1 of t* and one\n";
    assert_eq!(play(&pattern, &[(0, 1), (2, 2)]), [(1, vec![0, 1])]);
    assert_eq!(play(&pattern, &[(1, 1), (2, 2)]), []);
    let two = of_type("temporal") + "  condition:\n    gte: 2\n";
    assert_eq!(play(&two, &[(0, 1), (0, 2), (2, 3)]), [(2, vec![1, 2])]);
}

#[test]
fn events_and_values_are_counted_within_the_time() {
    let events = of_type("event_count") + "  condition:\n    gte: 3\n";
    assert_eq!(
        play(&events, &[(0, 1), (1, 8), (0, 12), (2, 13)]),
        [(3, vec![1, 2, 3])]
    );
    let values = of_type("value_count") + "  condition:\n    field: FileName\n    gte: 2\n";
    // Two matches each have the same value.
    assert_eq!(
        play(&values, &[(0, 1), (0, 2), (0, 3), (0, 4)]),
        [(2, vec![1, 2]), (3, vec![1, 3])]
    );
}

#[test]
fn a_count_holds_no_more_than_its_condition_asks_for() {
    let events = of_type("event_count") + "  condition:\n    gt: 3\n";
    let rules = folder(&events).load().unwrap();
    let definition = &rules.chains()[0].definition;
    let mut group = Group::new(definition);
    let subject = Subject::new(Category::FileAccess);
    for _ in 0..1000 {
        group.see(definition, 0, 1, &subject, &0);
    }
    assert!(group.weight() < 10, "{}", group.weight());
}

#[test]
fn a_chain_has_what_its_last_link_says_where_it_says_nothing() {
    let rules = folder(&of_type("temporal")).load().unwrap();
    let chain = &rules.chains()[0];
    let last = &rules.rules()[2];
    assert_eq!(chain.rule.branch, last.branch);
    assert_eq!(chain.rule.playbook, last.playbook);
    assert_eq!(chain.definition.members.len(), 3);
    assert_eq!(rules.chains_of(&last.id).count(), 1);
}

#[test]
fn a_chain_may_be_a_link_of_another_and_not_of_itself() {
    let outer = chain(&of_type("temporal").replace("three", "inner"))
        .replace("0000c0", "0000c1")
        .replace("title: Chain", "title: Outer\nname: outer");
    let inner = chain(&of_type("temporal")).replace("title: Chain", "title: Inner\nname: inner");
    let load = |inner: &str| {
        let mut files = three();
        files.push(("inner.yml".to_owned(), inner.to_owned()));
        files.push(("outer.yml".to_owned(), outer.clone()));
        let files: Vec<_> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
        Folder::new(&files)
    };
    assert_eq!(load(&inner).load().unwrap().chains().len(), 2);
    let errors = load(&inner.replace("three", "outer")).errors();
    assert!(errors.contains("is a link of itself"), "{errors}");
}

#[test]
fn an_alias_is_another_field_for_each_rule() {
    let aliases = "  aliases:\n    who:\n      one: FileName\n      two: User\n      three: User\n";
    let correlation = of_type("temporal").replace("SessionId", "who") + aliases;
    let rules = folder(&correlation).load().unwrap();
    let chain = &rules.chains()[0];
    let mut subject = Subject::new(Category::FileAccess);
    subject.set(Field::FileName, Some("dev"));
    let by_name = chain.group(0, &subject);
    assert_eq!(chain.group(1, &subject), None);
    subject.set(Field::User, Some("dev"));
    assert_eq!(chain.group(1, &subject), by_name);
}

#[test]
fn mistakes_in_a_correlation_have_their_place_and_a_suggestion() {
    let wrong = [
        (
            of_type("temporal_orderd"),
            "chain.yml:5:9: error: unknown type `temporal_orderd`",
            "did you mean `temporal_ordered`?",
        ),
        (
            of_type("temporal").replace("two", "tow"),
            "chain.yml:6:16: error: no rule has the id or name `tow`",
            "did you mean `two`?",
        ),
        (
            of_type("temporal").replace("SessionId", "SesionId"),
            "chain.yml:7:14: error: unknown field `SesionId`",
            "did you mean `SessionId`?",
        ),
        (
            of_type("temporal").replace("SessionId", "DestinationIp"),
            "chain.yml:7:14: error: events of file_access, which `Rule 1` matches, have no field",
            "`DestinationIp`",
        ),
        (
            of_type("temporal").replace("timespan", "timespam"),
            "unknown key `timespam` of `correlation`",
            "did you mean `timespan`?",
        ),
        (
            of_type("temporal").replace("10s", "10y"),
            "chain.yml:8:13: error: `timespan` is a number and one of s, m, h, d",
            "",
        ),
        (
            of_type("temporal") + "  condition: one and thre\n",
            "chain.yml:9:14: error: `rules` does not list `thre`",
            "did you mean `three`?",
        ),
        (
            of_type("temporal") + "  condition: one and not two\n",
            "chain.yml:9:14: error: a chain is made of what was seen",
            "",
        ),
        (
            of_type("temporal") + "  condition:\n    gte: 4\n",
            "chain.yml:10:5: error: this condition is met by no choice of the 3 rules",
            "",
        ),
        (of_type("event_count"), "`condition` is missing", ""),
        (
            of_type("event_count") + "  condition:\n    gte: many\n",
            "chain.yml:10:10: error: a count is a number up to 1000",
            "",
        ),
        (
            of_type("value_count") + "  condition:\n    gte: 2\n",
            "`field` is missing",
            "",
        ),
        (
            of_type("temporal") + "generate: false\n",
            "chain.yml:9:11: error: `generate` can only be true",
            "",
        ),
        (
            of_type("temporal") + "logsource:\n  category: file_access\n",
            "chain.yml:9:1: error: unknown key `logsource`",
            "",
        ),
    ];
    for (correlation, place, suggestion) in wrong {
        let errors = folder(&correlation).errors();
        assert!(errors.contains(place), "no `{place}` in:\n{errors}");
        assert!(
            errors.contains(suggestion),
            "no `{suggestion}` in:\n{errors}"
        );
    }
}

#[test]
fn a_filter_names_rules_and_no_chains() {
    let mut files = three();
    files.push(("chain.yml".to_owned(), chain(&of_type("temporal"))));
    let filter = "title: F\nid: 00000000-0000-4000-8000-0000000000ff\nlogsource:\n  category: \
                  file_access\nfilter:\n  rules: [Chain]\n  selection:\n    User: a\n  condition: \
                  not selection\n";
    files.push(("filter.yml".to_owned(), filter.to_owned()));
    let files: Vec<_> = files.iter().map(|(n, t)| (&**n, &**t)).collect();
    let errors = Folder::new(&files).errors();
    assert!(errors.contains("`Chain` is a correlation"), "{errors}");
}
