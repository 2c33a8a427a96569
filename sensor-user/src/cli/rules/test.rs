//! `pkgwarden rules test`: every rule on the events and the recording of its own test.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::show::plain;
use crate::core::{Core, Finding, Trust};
use crate::detect::{Rule, RuleSet, Trial, captures, tests};
use crate::event::Event;
use crate::event::capture::Reader;

/// What came of all of them.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// A line for each rule that failed or has no test, and a last one with the counts.
    pub(super) text: String,
    pub(super) failed: usize,
}

/// The texts of a rule's test, each with the name it goes by.
#[derive(Debug, Default)]
struct Texts {
    test: Option<(String, String)>,
    capture: Option<(String, String)>,
}

/// Tries every rule. Those of `folders` have their tests in a folder called `tests` beside or above
/// them, below one of these.
pub(super) fn run(rules: RuleSet, folders: &[PathBuf]) -> Outcome {
    let rules = Rc::new(rules);
    let mut outcome = Outcome::default();
    let (mut passed, mut without) = (0, 0);
    for rule in rules.described() {
        let given = |folder: &PathBuf| Path::new(&rule.file).starts_with(folder);
        let texts = match folders.iter().any(given) {
            true => beside(rule, folders),
            false => shipped(rule),
        };
        let Some((name, text)) = &texts.test else {
            without += 1;
            outcome
                .text
                .push_str(&format!("{}: no test\n", plain(&rule.file)));
            continue;
        };
        let mut wrong = match Trial::read(rule, name, text) {
            Ok(trial) => tried(&rules, rule, &trial, texts.capture.as_ref()),
            Err(errors) => vec![format!("\n{errors}")],
        };
        passed += usize::from(wrong.is_empty());
        outcome.failed += usize::from(!wrong.is_empty());
        for what in wrong.drain(..) {
            outcome
                .text
                .push_str(&format!("{}: FAILED: {what}\n", plain(&rule.file)));
        }
    }
    outcome.text.push_str(&format!(
        "{passed} rules passed, {} failed, {without} have no test\n",
        outcome.failed
    ));
    outcome
}

/// Of a rule that is part of the binary.
fn shipped(rule: &Rule) -> Texts {
    let of_rule = |(name, _): &(&str, &str)| *name == slug(rule);
    let text =
        |(name, text): (&str, &str), end: &str| (format!("tests/{name}{end}"), text.to_owned());
    Texts {
        test: tests().find(of_rule).map(|found| text(found, ".yml")),
        capture: captures().find(of_rule).map(|found| text(found, ".ndjson")),
    }
}

fn beside(rule: &Rule, folders: &[PathBuf]) -> Texts {
    let file = Path::new(&rule.file);
    let read = |ending: &str| {
        let below = |folder: &&Path| folders.iter().any(|given| folder.starts_with(given));
        file.ancestors()
            .skip(1)
            .take_while(below)
            .find_map(|folder| {
                let path = folder.join("tests").join(format!("{}{ending}", slug(rule)));
                Some((path.display().to_string(), fs::read_to_string(path).ok()?))
            })
    };
    Texts {
        test: read(".yml"),
        capture: read(".ndjson"),
    }
}

fn slug(rule: &Rule) -> &str {
    let stem = Path::new(&rule.file).file_stem();
    stem.and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// Everything that is wrong.
fn tried(
    rules: &Rc<RuleSet>,
    rule: &Rule,
    trial: &Trial,
    capture: Option<&(String, String)>,
) -> Vec<String> {
    let finds = |subject| {
        let hits = rules.evaluate(subject);
        let mut open = hits.iter().filter(|hit| hit.suppressed_by.is_none());
        open.any(|hit| hit.rule.id == rule.id)
    };
    let missed = trial.finds.iter().filter(|(_, subject)| !finds(subject));
    let mut wrong: Vec<String> = missed
        .map(|(why, _)| format!("does not find: {why}"))
        .collect();
    let found = trial.silent.iter().filter(|(_, subject)| finds(subject));
    wrong.extend(found.map(|(why, _)| format!("is not silent: {why}")));
    match (capture, &trial.recorded) {
        (None, None) => {}
        (None, Some(_)) => wrong.push("recorded_near_miss without a capture".to_owned()),
        (Some((name, _)), None) => wrong.push(format!("{name} without a recorded_near_miss")),
        (Some((name, text)), Some(near)) => {
            let on_capture = events(text).and_then(|events| {
                if !raises(rules, rule, &events) {
                    return Err("the rule is silent on it".to_owned());
                }
                match raises(rules, rule, &near.apply(&events)?) {
                    true => Err("finds its near miss".to_owned()),
                    false => Ok(()),
                }
            });
            wrong.extend(on_capture.err().map(|why| format!("{name}: {why}")));
        }
    }
    wrong
}

fn events(text: &str) -> Result<Vec<Event>, String> {
    let reader = Reader::new(text.as_bytes()).map_err(|error| error.to_string())?;
    reader
        .map(|event| event.map_err(|error| error.to_string()))
        .collect()
}

fn raises(rules: &Rc<RuleSet>, rule: &Rule, events: &[Event]) -> bool {
    let mut core = Core::sharing(Rc::clone(rules), Trust::default());
    events.iter().any(|event| {
        let mut findings = core.handle(event).into_iter();
        findings.any(|finding| matches!(finding, Finding::Alert(alert) if alert.rule.id == rule.id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Sources;

    fn of_folder(files: &[(&str, &str)]) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let folders = [folder.path().to_owned()];
        let rules = RuleSet::load(&Sources {
            rule_dirs: folders.to_vec(),
            ..Sources::default()
        });
        run(rules.unwrap(), &folders)
    }

    const RULE: &str = "title: R\nid: 00000000-0000-4000-8000-000000000001\nlogsource:\n  category: \
                        file_access\ndetection:\n  a:\n    FileName: /etc/shadow\n  condition: a\n";
    const TEST: &str = "positive:\n  FileName: /etc/shadow\nnear_miss:\n  field: FileName\n  value: \
                        /etc/shells\n";

    #[test]
    fn every_shipped_rule_passes_its_test() {
        let rules = RuleSet::load(&Sources {
            shipped: true,
            ..Sources::default()
        });
        let outcome = run(rules.unwrap(), &[]);
        assert_eq!(outcome.failed, 0, "{}", outcome.text);
        assert!(outcome.text.lines().count() <= 2, "{}", outcome.text);
    }

    #[test]
    fn a_users_rule_is_tried_on_the_test_beside_or_above_it() {
        for tests in ["tests/r.yml", "mine/tests/r.yml"] {
            let outcome = of_folder(&[("mine/r.yml", RULE), (tests, TEST)]);
            assert_eq!(outcome.text, "1 rules passed, 0 failed, 0 have no test\n");
        }
        let outcome = of_folder(&[("mine/r.yml", RULE)]);
        assert!(
            outcome.text.contains("mine/r.yml: no test"),
            "{}",
            outcome.text
        );
        assert_eq!(outcome.failed, 0);
    }

    #[test]
    fn what_is_missed_and_what_is_wrong_in_a_test_is_said() {
        let also = "also:\n  - why: the other one\n    set: {FileName: /etc/gshadow}\n";
        let outcome = of_folder(&[("r.yml", RULE), ("tests/r.yml", &format!("{TEST}{also}"))]);
        assert!(
            outcome
                .text
                .contains("FAILED: does not find: the other one"),
            "{}",
            outcome.text
        );
        let wrong = TEST.replace("positive:\n  FileName", "positive:\n  FilName");
        let outcome = of_folder(&[("r.yml", RULE), ("tests/r.yml", &wrong)]);
        let told = "events of file_access have no field `FilName`; did you mean `FileName`?";
        assert!(
            outcome.text.contains("tests/r.yml:2:3: error: "),
            "{}",
            outcome.text
        );
        assert!(outcome.text.contains(told), "{}", outcome.text);
    }
}
