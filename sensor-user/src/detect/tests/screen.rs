//! The screen may let pass what no rule matches, never the other way round.

use proptest::prelude::*;

use super::shipped::{positives, shipped, silents};
use super::*;
use crate::detect::{Category, Field, Subject, Value};

fn ids(hits: Vec<crate::detect::Hit<'_>>) -> Vec<String> {
    hits.iter().map(|hit| hit.rule.id.clone()).collect()
}

/// Every event that the rules' own tests hold.
fn tested(rules: &RuleSet) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for rule in rules.rules() {
        let all = positives(rule).into_iter().chain(silents(rule));
        subjects.extend(all.map(|(_, subject)| subject));
    }
    subjects
}

#[test]
fn what_the_rules_own_tests_hold_is_judged_alike_with_and_without_the_screen() {
    let rules = shipped();
    let subjects = tested(&rules);
    assert!(subjects.len() > 150, "{}", subjects.len());
    for subject in &subjects {
        let asked = ids(rules.evaluate_unscreened(subject));
        assert_eq!(ids(rules.evaluate(subject)), asked, "{subject:?}");
        // Nothing passes in vain: every condition of the shipped rules is understood.
        assert_eq!(rules.candidates(subject).len(), asked.len());
        // Asked again, with what is remembered of the process.
        assert_eq!(ids(rules.evaluate(subject)), asked, "{subject:?}");
    }
}

/// An event mixed from the fields of others: half of the rules' conditions hold somewhere.
fn mixed(subjects: &[Subject], picks: &[(usize, usize)], category: Category) -> Subject {
    let mut mixed = Subject::new(category);
    for &(from, field) in picks {
        let field = Field::ALL[field % Field::ALL.len()];
        let subject = &subjects[from % subjects.len()];
        if field.is_in(category) {
            mixed.set(field, subject.get(field).cloned());
        }
    }
    mixed
}

#[test]
fn events_mixed_from_others_are_judged_alike_with_and_without_the_screen() {
    let rules = shipped();
    let subjects = tested(&rules);
    let picks = proptest::collection::vec(any::<(usize, usize)>(), 0..200);
    let matched = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(4000), |(
        picks in picks,
        start in any::<usize>(),
        changes in proptest::collection::vec(any::<(usize, usize)>(), 0..3),
    )| {
        let first = &subjects[start % subjects.len()];
        let mut subject = first.clone();
        for (field, value) in mixed(&subjects, &changes, first.category).fields() {
            subject.set(field, Some(value.clone()));
        }
        for subject in [subject, mixed(&subjects, &picks, first.category)] {
            let asked = ids(rules.evaluate_unscreened(&subject));
            matched.set(matched.get() + usize::from(!asked.is_empty()));
            prop_assert_eq!(ids(rules.evaluate(&subject)), asked);
        }
    });
    let matched = matched.get();
    assert!(matched > 500, "only {matched} matched");
}

#[test]
fn a_rule_that_counts_its_selections_is_not_screened_away() {
    let text = "title: Two\nid: 00000000-0000-4000-8000-000000000001\nlogsource:\n  \
                    category: process_creation\n  product: linux\ndetection:\n  a:\n    \
                    Image|endswith: '/sh'\n  b:\n    CommandLine|contains: 'x'\n  c:\n    \
                    User: root\n  condition: 2 of them\nlevel: high\n";
    let folder = Folder::new(&[("a.yml", text)]);
    let rules = folder.load().unwrap();
    let mut subject = Subject::new(Category::ProcessCreation);
    let mut matches = |field, value: &str| {
        subject.set(field, Some(Value::from(value)));
        rules.evaluate(&subject).len()
    };
    assert_eq!(matches(Field::Image, "/bin/sh"), 0);
    assert_eq!(matches(Field::User, "other"), 0);
    assert_eq!(matches(Field::CommandLine, "axb"), 1);
    assert_eq!(matches(Field::Image, "/bin/bash"), 0);
    assert_eq!(matches(Field::User, "root"), 1);
}

#[test]
fn what_one_set_of_rules_decided_is_not_another_ones() {
    let subject = {
        let mut subject = Subject::new(Category::ProcessCreation);
        subject.set(Field::Image, Some("/bin/sh"));
        subject
    };
    for (text, expected) in [("'/bin/sh'", 1), ("'/bin/no'", 0), ("'/bin/s?'", 1)] {
        let rule = rule("process_creation", 1, &format!("Image: {text}"));
        let folder = Folder::new(&[("a.yml", &rule)]);
        assert_eq!(folder.load().unwrap().evaluate(&subject).len(), expected);
    }
}
