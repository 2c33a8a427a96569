use std::collections::BTreeSet;
use std::path::Path;

use super::super::sample;
use super::*;

fn docs() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn schema(name: &str) -> Value {
    let documents = documents();
    let (_, text) = documents.iter().find(|(file, _)| *file == name).unwrap();
    serde_json::from_str(text).unwrap()
}

/// `UPDATE_SCHEMA=1 cargo test -p sensor-user schema` writes them.
#[test]
fn the_committed_schemas_are_those_of_the_types() {
    for (file, text) in documents() {
        let path = docs().join("schema").join(file);
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "docs/schema/{file} does not fit the Rust types any more. If the change is meant, raise \
             the version in `schema` unless a key was only added, add a changelog line, and run \
             UPDATE_SCHEMA=1 cargo test -p sensor-user schema"
        );
    }
}

#[track_caller]
fn assert_valid(name: &str, value: &Value) {
    let validator = jsonschema::validator_for(&schema(name)).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn what_is_written_fits_its_schema() {
    for alert in [
        sample::postinstall(),
        sample::callback(),
        sample::credential(),
        sample::everything_is("x"),
    ] {
        let mut value = serde_json::to_value(alert).unwrap();
        value["schema"] = json!("pkgwarden.alert/1");
        assert_valid("alert.json", &value);
    }
    assert_valid(
        "health.json",
        &serde_json::to_value(sample::health()).unwrap(),
    );
    assert_valid(
        "session.json",
        &serde_json::to_value(sample::report()).unwrap(),
    );
}

#[test]
fn the_schema_refuses_an_unknown_level_a_missing_key_and_another_version() {
    let validator = jsonschema::validator_for(&schema("alert.json")).unwrap();
    let good = serde_json::to_value(sample::postinstall()).unwrap();
    assert!(validator.is_valid(&good));
    for (key, value) in [
        ("level", json!("huge")),
        ("schema", json!("pkgwarden.alert/2")),
        ("process", json!({"pid": "1"})),
        ("detection_branch", json!("Other")),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        assert!(!validator.is_valid(&bad), "{key}");
    }
    let mut bad = good;
    bad.as_object_mut().unwrap().shift_remove("summary");
    assert!(!validator.is_valid(&bad));
}

/// Every key of a schema as `process.args`, through lists and references.
fn keys(schema: &Value) -> BTreeSet<String> {
    fn walk(root: &Value, node: &Value, path: &str, found: &mut BTreeSet<String>) {
        let mut targets = vec![node];
        targets.extend(node.get("items"));
        targets.extend(node["anyOf"].as_array().into_iter().flatten());
        for target in targets {
            if let Some(name) = target["$ref"].as_str() {
                let name = name.trim_start_matches("#/$defs/");
                walk(root, &root["$defs"][name], path, found);
            }
            for (key, value) in target["properties"].as_object().into_iter().flatten() {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                found.insert(path.clone());
                walk(root, value, &path, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(schema, schema, "", &mut found);
    found
}

fn documentation() -> String {
    std::fs::read_to_string(docs().join("alerts.md")).unwrap()
}

/// The part of the document below a heading.
fn section(heading: &str) -> String {
    documentation()
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("docs/alerts.md has no section `{heading}`"))
        .to_owned()
}

/// First cells of its tables.
fn documented(section: &str) -> BTreeSet<String> {
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn every_key_is_described_and_no_other() {
    for (heading, file) in [
        ("Alert", "alert.json"),
        ("Sensor health", "health.json"),
        ("Session report", "session.json"),
    ] {
        let text = section(heading);
        let described = documented(&text);
        let keys = keys(&schema(file));
        // `installs` of a report is an alert's `install`, and described there.
        let described_elsewhere = |key: &str| {
            key.match_indices('.')
                .any(|(at, _)| text.contains(&format!("| `{}` | see ", &key[..at])))
        };
        let missing: Vec<&String> = keys
            .difference(&described)
            .filter(|key| !described_elsewhere(key))
            .collect();
        assert!(missing.is_empty(), "{heading}: not described: {missing:#?}");
        let unknown: Vec<&String> = described.difference(&keys).collect();
        assert!(unknown.is_empty(), "{heading}: no such key: {unknown:#?}");
    }
}

#[test]
fn every_row_of_the_mapping_begins_with_a_key_of_the_alert() {
    let keys = keys(&schema("alert.json"));
    let mapped = documented(&section("Other vocabularies"));
    assert!(mapped.len() > 30);
    let unknown: Vec<&String> = mapped.difference(&keys).collect();
    assert!(unknown.is_empty(), "no such key: {unknown:#?}");
}

#[test]
fn every_health_code_is_described_in_its_own_words() {
    let text = documentation();
    for code in crate::health::Code::ALL {
        let row = format!(
            "| {} | {} | {} |",
            code.name(),
            code.sentence(),
            code.action()
        );
        assert!(text.contains(&row), "docs/alerts.md lacks:\n{row}");
    }
}
