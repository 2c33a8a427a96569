//! The shipped filters: each on what it lets pass, and on tries to abuse it.
//!
//! `rules/tests/filters/<filter>.yml` holds `exempt` (an event that a rule finds and the filter
//! silences), `also` (changes of it that are silenced too) and `abuse` (changes with which the rule's
//! alert is raised), each saying `why`. That a filter is void after credentials were opened is the
//! core's: `core::tests::exemptions`.

use super::shipped::{rules_folder, shipped};
use super::*;
use crate::detect::yaml::{Data, Node, SourceFile};
use crate::detect::{Category, Field, Filter, Subject};

fn slug(filter: &Filter) -> &str {
    let name = filter.file.rsplit('/').next().unwrap();
    name.strip_suffix(".yml").unwrap()
}

fn test_of(filter: &Filter) -> Node {
    let path = rules_folder().join(format!("tests/filters/{}.yml", slug(filter)));
    let file = SourceFile {
        name: path.display().to_string(),
        text: fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("filter {} has no test {}", filter.title, path.display())),
    };
    let documents = Node::documents(&file);
    documents
        .unwrap_or_else(|problem| panic!("{problem:?}"))
        .remove(0)
}

/// Sets the fields of an item's `set`.
fn set(subject: &mut Subject, item: &Node) {
    for (name, value) in item.get("set").unwrap().map().unwrap() {
        let field: Field = name.text().unwrap().parse().unwrap();
        assert!(field.is_in(subject.category), "{name:?}");
        match &value.data {
            Data::Null => subject.set(field, None::<&str>),
            Data::Bool(flag) => subject.set(field, Some(*flag)),
            Data::Text(text) => subject.set(field, Some(text.as_str())),
            other => panic!("{other:?}"),
        }
    }
}

fn why(item: &Node) -> &str {
    item.get("why").and_then(Node::text).unwrap()
}

/// What is wrong with a filter on its test.
fn tried(rules: &RuleSet, filter: &Filter, category: Category) -> Vec<String> {
    let test = test_of(filter);
    let targets: Vec<&str> = rules.targets(filter).map(|rule| &*rule.id).collect();
    // Of the rules that it is for: how many it silences, and how many alert.
    let judged = |subject: &Subject| {
        let hits = rules.evaluate(subject);
        let hits = hits.iter().filter(|hit| targets.contains(&&*hit.rule.id));
        let (silenced, alerts): (Vec<_>, Vec<_>) =
            hits.partition(|hit| hit.suppressed_by.is_some());
        let by_it = |hit: &&crate::detect::Hit<'_>| hit.suppressed_by.as_ref() == Some(&filter.id);
        (silenced.into_iter().filter(by_it).count(), alerts.len())
    };
    let mut exempt = Subject::new(category);
    let item = test.get("exempt").unwrap();
    set(&mut exempt, item);
    let mut wrong = Vec::new();
    let also = test.get("also").map_or(&[][..], Node::items);
    for item in std::iter::once(item).chain(also) {
        let mut subject = exempt.clone();
        set(&mut subject, item);
        match judged(&subject) {
            (1.., 0) => {}
            other => wrong.push(format!("{}: {}: {other:?}", slug(filter), why(item))),
        }
    }
    let abuse = test.get("abuse").map_or(&[][..], Node::items);
    assert!(abuse.len() >= 2, "{} is hardly abused", slug(filter));
    for item in abuse {
        let mut subject = exempt.clone();
        set(&mut subject, item);
        if judged(&subject).1 == 0 {
            wrong.push(format!("{}: lets pass: {}", slug(filter), why(item)));
        }
    }
    wrong
}

#[test]
fn every_filter_lets_pass_what_it_says_and_none_of_the_tries_to_abuse_it() {
    let rules = shipped();
    let mut wrong = Vec::new();
    for filter in rules.filters() {
        let category = rules.targets(filter).next().unwrap().category;
        wrong.extend(tried(&rules, filter, category));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_of_a_filter_belongs_to_one() {
    let rules = shipped();
    let known: Vec<&str> = rules.filters().iter().map(slug).collect();
    for entry in fs::read_dir(rules_folder().join("tests/filters")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(known.contains(&&*stem), "{}", path.display());
    }
}

#[test]
fn a_filter_that_trusts_a_program_asks_who_can_write_it_and_what_is_loaded_into_it() {
    // A python in a virtual environment is the builder's own choice: what it runs is seen itself. And
    // of pip's folders the name is asked, not a program.
    let others = [
        "python-of-a-temporary-environment",
        "pip-build-runs-its-tools",
    ];
    for filter in shipped().filters() {
        let text = fs::read_to_string(rules_folder().join(&filter.file)).unwrap();
        if text.contains("    Image") && !others.contains(&slug(filter)) {
            for asked in ["ImageInjected|exists: false", "ImageDirWritable: false"] {
                assert!(
                    text.contains(asked),
                    "{} does not ask {asked}",
                    slug(filter)
                );
            }
        }
    }
}
