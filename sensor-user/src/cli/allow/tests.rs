//! A filter for alerts of real recordings, and those that must be refused.

use clap::Parser;

use super::*;
use crate::core::{Core, Finding, Settings, Trust};
use crate::detect::{Sources, captures};
use crate::event::capture::Reader;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: AllowArgs,
}

fn shipped() -> RuleSet {
    RuleSet::load(&Sources {
        shipped: true,
        ..Sources::default()
    })
    .unwrap()
}

/// The alerts of a recording, those of its own rule first.
fn recorded(slug: &str, package: &str) -> (String, Vec<Alert>) {
    let (_, text) = captures().find(|(name, _)| *name == slug).unwrap();
    let text = text.replace("replica", package);
    let mut core = Core::new(Settings {
        rules: shipped(),
        trust: Trust::default(),
    });
    let mut alerts = Vec::new();
    for event in Reader::new(text.as_bytes()).unwrap() {
        for finding in core.handle(&event.unwrap()) {
            if let Finding::Alert(alert) = finding {
                alerts.push(*alert);
            }
        }
    }
    alerts.sort_by_key(|alert| !alert.rule.file.ends_with(&format!("/{slug}.yml")));
    (text, alerts)
}

fn allowed_with(alert: &Alert, more: &[&str]) -> Result<(String, Vec<String>), AllowError> {
    let line = Line::parse_from(["allow", "x"].iter().chain(more));
    allowed(alert, &line.args)
}

#[test]
fn the_filter_of_an_alert_silences_it_and_its_capture_and_no_attack() {
    let (capture, alerts) = recorded("script-recon", "our-builder");
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
    // It is what `rules check` takes, and another command line is not covered.
    let more = [("f".to_owned(), text)];
    let sources = Sources {
        shipped: true,
        ..Sources::default()
    };
    let rules = RuleSet::load_with(&sources, &more).unwrap();
    let mut other = alerts[0].clone();
    for (field, value) in [
        ("CommandLine", "id -un "),
        ("Image", "/usr/local/bin/id"),
        ("PackageName", "our-builder2"),
        ("LifecycleEvent", "preinstall"),
        ("ImageInjected", "true"),
    ] {
        let fields = alerts[0].evidence.fields.clone();
        other.evidence.fields = fields;
        other
            .evidence
            .fields
            .insert(field.to_owned(), value.to_owned());
        let subject = crate::detect::Subject::told(
            crate::detect::Category::ProcessCreation,
            &other.evidence.fields,
        );
        let hits = rules.evaluate(&subject);
        let open = hits
            .iter()
            .any(|hit| hit.rule.id == alerts[0].rule.id && hit.suppressed_by.is_none());
        assert!(open, "{field} {value}");
    }
}

#[test]
fn a_filter_that_silences_a_recorded_attack_is_refused() {
    // The very package of the recordings.
    let (_, alerts) = recorded("script-recon", "replica");
    let error = allowed_with(&alerts[0], &[]).unwrap_err().to_string();
    assert!(error.contains("it silences recorded attacks: "), "{error}");
    assert!(error.contains("script-recon"), "{error}");
}

#[test]
fn every_recorded_alert_of_another_package_can_be_allowed() {
    for (slug, _) in captures() {
        let (_, alerts) = recorded(slug, "our-builder");
        let alert = alerts.first().unwrap();
        if alert.package.is_none() {
            continue;
        }
        allowed_with(alert, &[]).unwrap_or_else(|error| panic!("{slug}: {error}"));
    }
}

#[test]
fn what_hostile_code_chose_stays_one_value_and_no_wildcard() {
    let (_, mut alerts) = recorded("script-recon", "our-builder");
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
    let (_, alerts) = recorded("script-recon", "our-builder");
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
