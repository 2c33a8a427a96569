//! A filter for alerts of real recordings, and those that must be refused.

use std::rc::Rc;

use clap::Parser;

use super::*;
use crate::detect::{Category, Sources, Subject, captures};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: AllowArgs,
}

fn shipped(more: &[(String, String)]) -> Rc<RuleSet> {
    let sources = Sources {
        shipped: true,
        ..Sources::default()
    };
    Rc::new(RuleSet::load_with(&sources, more).unwrap())
}

/// The alerts of a recording, those of its own rule first.
fn recorded(rules: &Rc<RuleSet>, slug: &str, package: &str) -> (String, Vec<Alert>) {
    let (_, text) = captures().find(|(name, _)| *name == slug).unwrap();
    let text = text.replace("replica", package);
    let events = crate::cli::recorded::events(text.as_bytes()).unwrap();
    let alerts = crate::cli::recorded::alerts(rules, &events);
    let mut alerts: Vec<_> = alerts.map(|alert| *alert).collect();
    alerts.sort_by_key(|alert| !alert.rule.file.ends_with(&format!("/{slug}.yml")));
    (text, alerts)
}

fn allowed_with(alert: &Alert, more: &[&str]) -> Result<(String, Vec<String>), AllowError> {
    let line = Line::parse_from(["allow", "x"].iter().chain(more));
    allowed(alert, &line.args)
}

#[test]
fn the_filter_of_an_alert_silences_it_and_its_capture_and_no_attack() {
    let (capture, alerts) = recorded(&shipped(&[]), "script-recon", "our-builder");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.capture");
    std::fs::write(&file, capture).unwrap();
    let more = ["--capture", file.to_str().unwrap()];
    let (text, sentences) = allowed_with(&alerts[0], &more).unwrap();
    for exact in [
        "PackageName|cased: 'our-builder'",
        "LifecycleEvent|cased: 'postinstall'",
        "Image|cased: '/usr/bin/id'",
        "CommandLine|cased: 'id -un'",
        "ImageInjected|exists: false",
        "condition: not selection",
    ] {
        assert!(text.contains(exact), "no `{exact}` in:\n{text}");
    }
    let [silent, of_capture, attacks] = &sentences[..] else {
        panic!("{sentences:?}")
    };
    assert!(silent.starts_with("the alert falls silent"), "{silent}");
    assert!(of_capture.ends_with("raises it no more"), "{of_capture}");
    assert!(
        attacks.contains("recorded attacks still raise"),
        "{attacks}"
    );
    // Another command line, program, package or lifecycle is not covered.
    let rules = shipped(&[("f".to_owned(), text)]);
    for (field, value) in [
        ("CommandLine", "id -un "),
        ("Image", "/usr/local/bin/id"),
        ("PackageName", "our-builder2"),
        ("LifecycleEvent", "preinstall"),
        ("LifecycleScript", "id -un; whoami"),
        ("ImageInjected", "true"),
    ] {
        let mut fields = alerts[0].evidence.fields.clone();
        fields.insert(field.to_owned(), value.to_owned());
        let subject = Subject::told(Category::ProcessCreation, &fields);
        let hits = rules.evaluate(&subject);
        let mut of_rule = hits.iter().filter(|hit| hit.rule.id == alerts[0].rule.id);
        assert!(
            of_rule.any(|hit| hit.suppressed_by.is_none()),
            "{field} {value}"
        );
    }
}

#[test]
fn a_filter_that_silences_a_recorded_attack_is_refused() {
    // The very package of the recordings.
    let (_, alerts) = recorded(&shipped(&[]), "script-recon", "replica");
    let error = allowed_with(&alerts[0], &[]).unwrap_err().to_string();
    assert!(error.contains("it silences recorded attacks: "), "{error}");
    assert!(error.contains("script-recon"), "{error}");
}

#[test]
fn every_recorded_alert_of_another_package_has_a_filter_that_silences_it() {
    let before = shipped(&[]);
    let mut all = Vec::new();
    for (slug, _) in captures() {
        let (_, mut alerts) = recorded(&before, slug, "our-builder");
        let alert = alerts.swap_remove(0);
        let narrow = Narrow::new(&alert, &before).unwrap_or_else(|error| panic!("{slug}: {error}"));
        all.push((slug, alert, narrow));
    }
    let texts: Vec<_> = all
        .iter()
        .map(|(slug, _, n)| ((*slug).to_owned(), n.text()))
        .collect();
    let after = shipped(&texts);
    assert!(all.len() > 60);
    for (slug, alert, narrow) in &all {
        let subject = Subject::told(narrow.category, &alert.evidence.fields);
        for hit in after.evaluate(&subject) {
            let filtered = narrow.rules.iter().any(|(id, _)| *id == hit.rule.id);
            assert!(
                !filtered || hit.suppressed_by.is_some(),
                "{slug}: {}",
                hit.rule.title
            );
        }
    }
}

#[test]
fn what_hostile_code_chose_stays_one_value_and_no_wildcard() {
    let (_, mut alerts) = recorded(&shipped(&[]), "script-recon", "our-builder");
    let alert = &mut alerts[0];
    let hostile = "id -un * ? \\* '\"\nrules: any # \u{202e}";
    alert
        .evidence
        .fields
        .insert("CommandLine".to_owned(), hostile.to_owned());
    let (text, _) = allowed_with(alert, &[]).unwrap();
    assert!(
        text.lines().all(|line| !line.starts_with("rules")),
        "{text}"
    );
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn an_alert_that_nothing_can_be_said_about_is_refused() {
    let (_, alerts) = recorded(&shipped(&[]), "script-recon", "our-builder");
    let refused = |change: &dyn Fn(&mut Alert)| {
        let mut alert = alerts[0].clone();
        change(&mut alert);
        allowed_with(&alert, &[]).unwrap_err().to_string()
    };
    let unknown = refused(&|alert| alert.rule.id = "00000000-0000-4000-8000-000000000001".into());
    assert!(
        unknown.contains("name its folder with --rules"),
        "{unknown}"
    );
    let changed = refused(&|alert| {
        alert
            .evidence
            .fields
            .insert("LifecycleEvent".into(), "import".into());
    });
    assert!(
        changed.contains("does not match what the alert tells"),
        "{changed}"
    );
    let cut = refused(&|alert| {
        let line = "id …[99999 bytes]… -un".to_owned();
        alert.evidence.fields.insert("CommandLine".into(), line);
    });
    assert!(cut.contains("CommandLine was cut"), "{cut}");
    let silenced = refused(&|alert| {
        alert.rule.id = "b10c8405-76ce-5e17-9d24-5c9f83868569".into();
        alert
            .evidence
            .fields
            .insert("CommandLine".into(), "id -u".into());
    });
    assert!(silenced.contains("does not match"), "{silenced}");
}
