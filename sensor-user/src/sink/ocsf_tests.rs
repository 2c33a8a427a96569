use std::fs;
use std::path::Path;

use super::*;
use crate::alert::sample;
use crate::alert::schema::{Ci, Hash, Link, Package};

/// Follows a path of the documentation.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| match value {
        Value::Array(items) => items.first()?.get(key),
        _ => value.get(key),
    })
}

/// Key of the alert, path in the finding, and whether the value is another one there.
fn table() -> Vec<(String, String, bool)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alerts.md");
    let text = fs::read_to_string(file).unwrap();
    let (_, section) = text.split_once("## Other vocabularies").unwrap();
    let quoted = |cell: &str| cell.split('`').nth(1).map(str::to_owned);
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            let ocsf = quoted(cells[3])?.replace("evidence.", "evidences.");
            Some((quoted(cells[1])?, ocsf, cells[3].contains('(')))
        })
        .collect()
}

/// What the samples leave out.
fn with_everything(mut alert: Alert) -> Alert {
    let hash = || {
        Some(Hash {
            sha256: "0a".repeat(32),
        })
    };
    alert.process.hash = hash();
    let file = alert.file.as_mut().unwrap();
    (file.hash, file.size) = (hash(), Some(77));
    let container = alert.container.as_mut().unwrap();
    container.name = Some("builder".to_owned());
    container.image = Some("debian:12".to_owned());
    let package = sample::postinstall().package.unwrap();
    alert.package = Some(Package {
        checksum: Some("sha512-x".to_owned()),
        ..package
    });
    alert.links = vec![Link {
        alert_id: "a".to_owned(),
        time: alert.time.clone(),
        summary: "before".to_owned(),
    }];
    let ci = sample::postinstall().ci.unwrap();
    alert.ci = Some(Ci {
        url: Some("https://ci.example/7".to_owned()),
        ..ci
    });
    alert
}

#[test]
fn every_row_of_the_documentation_holds() {
    let alerts = [
        sample::postinstall(),
        sample::callback(),
        with_everything(sample::credential()),
    ];
    let table = table();
    assert!(table.len() > 30);
    let mut held = std::collections::BTreeSet::new();
    for alert in &alerts {
        let before = serde_json::to_value(alert).unwrap();
        let after = ocsf(alert);
        for (key, path, is_other) in &table {
            let Some(value) = at(&before, key).filter(|value| !value.is_null()) else {
                continue;
            };
            if value.as_array().is_some_and(Vec::is_empty) {
                continue;
            }
            let there = at(&after, path);
            assert!(there.is_some(), "{key}: nothing at {path} in {after:#}");
            held.insert(key);
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let scalar = !value.is_array() && !value.is_object() && !is_other;
            if scalar && !path.ends_with("hashes") && !path.ends_with("_time") {
                assert_eq!(there.map(text), Some(text(value)), "{key} at {path}");
            }
        }
    }
    assert!(
        held.len() + 1 >= table.len(),
        "the samples lack too much: {held:?}"
    );
}

#[test]
fn what_the_schema_requires_is_there_and_nothing_is_null() {
    for alert in [sample::postinstall(), sample::callback()] {
        let finding = ocsf(&alert);
        for path in [
            "activity_id",
            "category_uid",
            "class_uid",
            "type_uid",
            "time",
            "severity_id",
            "metadata.version",
            "metadata.product.name",
            "finding_info.uid",
            "finding_info.analytic.type_id",
            "device.type_id",
            "evidences.process.file.name",
            "evidences.process.file.type_id",
        ] {
            assert!(at(&finding, path).is_some(), "{path} of {finding:#}");
        }
        assert!(!finding.to_string().contains("null"), "{finding:#}");
        assert_eq!(at(&finding, "type_uid"), Some(&json!(200_401)));
    }
}

#[test]
fn techniques_are_told_from_other_tags() {
    let tags = [
        "attack.execution",
        "attack.t1204.005",
        "attack.t1059",
        "cve.2021-1",
    ];
    let found = attacks(&tags.map(str::to_owned));
    assert_eq!(
        json!(found),
        json!([
            {"technique": {"uid": "T1204"}, "sub_technique": {"uid": "T1204.005"}},
            {"technique": {"uid": "T1059"}},
        ])
    );
}
