//! Registries that an install is configured for.

use super::*;

const OURS: &[(&str, Option<u16>)] = &[
    ("packages.corp.example", Some(4444)),
    ("45.33.32.99", Some(4873)),
];

fn install() -> Lookups {
    let mut lookups = Lookups::bare();
    lookups.npm();
    lookups.read(lookups.root, &["10.0.0.2"], &[], OURS);
    lookups
}

fn trusted(lookups: &Lookups) -> bool {
    lookups.last().field("DestinationTrusted") == "true"
}

#[test]
fn the_manager_itself_may_talk_to_its_registry_and_its_scripts_may_not() {
    let mut lookups = install();
    lookups.told(lookups.root, "packages.corp.example", ADDRESS);
    lookups.connect(lookups.root, ADDRESS, 4444, 0);
    assert!(trusted(&lookups));
    let script = lookups.script();
    lookups.told(script, "packages.corp.example", ADDRESS);
    lookups.connect(script, ADDRESS, 4444, 0);
    assert!(!trusted(&lookups));
    // Nor a manager that a script starts.
    let args = ["node", "/usr/bin/npm", "ci"];
    let nested = lookups
        .stage
        .spawn(script, "/usr/bin/node", &args, APP, &[]);
    lookups.connect(nested, ADDRESS, 4444, 0);
    assert!(!trusted(&lookups));
}

#[test]
fn a_registry_is_one_host_at_one_port() {
    let mut lookups = install();
    lookups.told(lookups.root, "packages.corp.example", ADDRESS);
    lookups.connect(lookups.root, ADDRESS, 4445, 0);
    assert!(!trusted(&lookups));
    lookups.told(lookups.root, "evil.packages.corp.example", "45.33.32.157");
    lookups.connect(lookups.root, "45.33.32.157", 4444, 0);
    assert!(!trusted(&lookups));
    lookups.connect(lookups.root, "45.33.32.99", 4873, 0);
    assert!(trusted(&lookups));
    // Another name of its address that nobody configured.
    lookups.told(lookups.root, "evil.example", ADDRESS);
    lookups.connect(lookups.root, ADDRESS, 4444, 0);
    assert!(!trusted(&lookups));
}

#[test]
fn what_was_read_first_holds_and_stands_in_the_report() {
    let mut lookups = install();
    lookups.script();
    let other = [("evil.example", Some(4444))];
    lookups.read(lookups.root, &["45.33.32.1"], &[], &other);
    lookups.told(lookups.root, "evil.example", ADDRESS);
    lookups.connect(lookups.root, ADDRESS, 4444, 0);
    assert!(!trusted(&lookups));
    let registries = play(&lookups.stage).report.registries;
    let shown: Vec<_> = registries
        .iter()
        .map(|one| (one.host.as_str(), one.port, one.source.as_str()))
        .collect();
    let source = "npmrc /home/dev/app/.npmrc";
    assert_eq!(
        shown,
        [
            ("45.33.32.99", Some(4873), source),
            ("packages.corp.example", Some(4444), source),
        ]
    );
}

#[test]
fn an_install_that_begins_in_a_shells_own_process_has_registries_too() {
    let mut lookups = Lookups::bare();
    let args = ["/usr/bin/env", "node", "/usr/bin/npm", "ci"];
    lookups
        .stage
        .exec(lookups.root, "/usr/bin/env", &args, APP, &[]);
    lookups.read(lookups.root, &["10.0.0.2"], &[], &[]);
    lookups.npm();
    lookups.read(lookups.root, &["10.0.0.2"], &[], OURS);
    lookups.connect(lookups.root, "45.33.32.99", 4873, 0);
    assert!(trusted(&lookups));
}

#[test]
fn a_manager_that_was_made_to_load_other_code_is_not_itself() {
    let mut lookups = Lookups::bare();
    let args = ["node", "/usr/bin/npm", "ci"];
    let shell = ["sh", "-c", "npm ci"];
    let root = lookups.root;
    lookups.stage.exec(root, "/usr/bin/dash", &shell, APP, &[]);
    let injected = ["NODE_OPTIONS=--require ./x.js"];
    let npm = lookups
        .stage
        .spawn(root, "/usr/bin/node", &args, APP, &injected);
    lookups.read(npm, &["10.0.0.2"], &[], OURS);
    lookups.connect(npm, "45.33.32.99", 4873, 0);
    assert!(!trusted(&lookups));
}

#[test]
fn a_private_registry_on_an_odd_port_raises_nothing() {
    let mut lookups = Lookups::bare();
    lookups.npm();
    let ours = [("packages.corp.example", Some(4873))];
    lookups.read(lookups.root, &["10.0.0.2"], &[], &ours);
    lookups.told(lookups.root, "packages.corp.example", "10.0.0.5");
    lookups.connect(lookups.root, "10.0.0.5", 4873, 0);
    let outcome = play(&lookups.stage);
    assert!(outcome.alerts.is_empty() && outcome.suppressed.is_empty());
    let connection = &outcome.report.connections[0];
    assert_eq!(connection.domain.as_deref(), Some("packages.corp.example"));
}
