//! Where a package is from, and what its name may be mistaken for.

use super::*;
use crate::alert::schema::{Package, RegistrySource};
use crate::detect::Confidence;

/// npm with a dependency whose script runs, after these connections of npm's own.
fn installed(connections: &[(&str, &str)], folder: &str, variables: &[&str]) -> Alert {
    let mut lookups = Lookups::bare();
    lookups.npm();
    lookups.read(lookups.root, &["10.0.0.2"], &[], &[]);
    for (name, address) in connections {
        lookups.told(lookups.root, name, address);
        lookups.connect(lookups.root, address, 443, 0);
    }
    let variables = [&["npm_lifecycle_event=postinstall"], variables].concat();
    let shell = ["sh", "-c", "node x.js"];
    let script = lookups
        .stage
        .spawn(lookups.root, "/usr/bin/dash", &shell, folder, &variables);
    // What a script sets for its children and where it goes are its own doing.
    let forged = [
        "npm_lifecycle_event=postinstall",
        "npm_package_resolved=https://forged.example/lodash/-/lodash-4.17.21.tgz",
    ];
    let elsewhere = "/home/dev/app/node_modules/lodash";
    let child = lookups
        .stage
        .spawn(script, "/usr/bin/dash", &shell, elsewhere, &forged);
    lookups.connect(child, ADDRESS, 4444, 0);
    lookups.last().0
}

fn package(alert: &Alert) -> &Package {
    alert.package.as_ref().unwrap()
}

fn registry(alert: &Alert) -> Option<(&str, RegistrySource)> {
    let package = package(alert);
    let field = alert.evidence.fields.get("PackageRegistry");
    assert_eq!(field, package.registry.as_ref());
    Some((package.registry.as_deref()?, package.registry_source?))
}

const LEFT: &str = "/home/dev/app/node_modules/left";

#[test]
fn npm_says_where_a_package_is_from_when_it_runs_its_script() {
    let resolved = "npm_package_resolved=https://u:s@npm.corp.example:8443/left/-/left-1.0.0.tgz";
    let alert = installed(&[("other.example", "10.0.0.9")], LEFT, &[resolved]);
    let expected = Some(("npm.corp.example", RegistrySource::Manager));
    assert_eq!(registry(&alert), expected);
}

#[test]
fn where_no_manager_says_it_the_one_host_that_it_spoke_to_is_it() {
    let one = ("npm.corp.example", "10.0.0.9");
    let alert = installed(&[one, one], LEFT, &[]);
    let expected = Some(("npm.corp.example", RegistrySource::Connection));
    assert_eq!(registry(&alert), expected);
    // A package of this machine's is from none of them.
    let local = installed(&[one], LEFT, &["npm_package_resolved=file:../left"]);
    assert_eq!(registry(&local), None);
    let root = installed(&[one], APP, &["npm_package_name=app"]);
    assert_eq!(registry(&root), None);
}

#[test]
fn of_a_private_registry_beside_a_public_one_nothing_is_said() {
    let hosts = lists::trusted_hosts();
    let public = [(hosts[0], "45.33.32.1"), (hosts[1], "45.33.32.2")];
    let expected = Some((hosts[1], RegistrySource::Connection));
    assert_eq!(registry(&installed(&public, LEFT, &[])), expected);
    let both = [public[0], ("npm.corp.example", "10.0.0.9")];
    assert_eq!(registry(&installed(&both, LEFT, &[])), None);
    assert_eq!(registry(&installed(&[], LEFT, &[])), None);
}

#[test]
fn a_name_like_a_popular_one_is_told_and_raises_the_confidence() {
    let alert = installed(&[], "/home/dev/app/node_modules/1odash", &[]);
    assert_eq!(package(&alert).resembles.as_deref(), Some("lodash"));
    assert_eq!(alert.evidence.fields["PackageResembles"], "lodash");
    assert_eq!(alert.confidence, Confidence::High);
    assert_eq!(
        alert.confidence_reasons,
        ["the name 1odash is close to that of lodash"]
    );
    let plain = installed(&[], LEFT, &[]);
    assert_eq!(plain.confidence, Confidence::Medium);
    assert!(plain.confidence_reasons.is_empty());
    assert_eq!(plain.level, alert.level);
}

#[test]
fn who_claims_a_popular_name_by_its_folder_or_its_manifest_is_seen_by_the_other() {
    // An alias: the folder has the popular name, the package its own.
    let alias = installed(
        &[],
        "/home/dev/app/node_modules/lodash",
        &["npm_package_name=lodahs"],
    );
    assert_eq!(package(&alias).name, "lodash");
    assert_eq!(package(&alias).resembles.as_deref(), Some("lodash"));
    // The manifest claims it, the folder tells the truth.
    let claim = installed(
        &[],
        "/home/dev/app/node_modules/lodahs",
        &["npm_package_name=lodash"],
    );
    assert_eq!(package(&claim).name, "lodahs");
    assert_eq!(package(&claim).claimed_name.as_deref(), Some("lodash"));
    assert_eq!(package(&claim).resembles.as_deref(), Some("lodash"));
    // A scope that looks like another's.
    let scope = installed(&[], "/home/dev/app/node_modules/@bable/core", &[]);
    assert_eq!(package(&scope).resembles.as_deref(), Some("@babel/core"));
    // The package itself resembles none.
    let own = installed(&[], "/home/dev/app/node_modules/@babel/core", &[]);
    assert_eq!(package(&own).resembles, None);
}
