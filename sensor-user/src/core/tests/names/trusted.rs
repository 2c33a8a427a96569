//! Which names make a destination trusted.

use super::*;

fn trusted(names: &[&str]) -> bool {
    let mut lookups = Lookups::new();
    for name in names {
        lookups.told(lookups.root, name, ADDRESS);
    }
    lookups.seen(lookups.root).field("DestinationTrusted") == "true"
}

#[test]
fn a_package_host_and_what_is_below_it_is_trusted_and_what_looks_alike_is_not() {
    let host = package_host();
    assert!(trusted(&[host]));
    assert!(trusted(&[&format!("a.b.{}.", host.to_uppercase())]));
    for other in [
        format!("evil-{host}"),
        format!("evil{host}"),
        format!("{host}.evil.example"),
        format!("xn--{host}"),
        host.split_once('.').unwrap().1.to_owned(),
        "evil.example".to_owned(),
    ] {
        assert!(!trusted(&[&other]), "{other}");
    }
}

#[test]
fn an_address_that_a_trusted_and_an_untrusted_name_share_is_not_trusted() {
    let host = package_host();
    assert!(!trusted(&[host, "evil.example"]));
    assert!(!trusted(&["evil.example", host]));
    assert!(trusted(&[host, lists::trusted_hosts()[1]]));
}

#[test]
fn an_untrusted_name_counts_until_it_runs_out_whoever_asked_for_it() {
    let mut lookups = Lookups::new();
    let args = ["node", "x.js"];
    let other = lookups
        .stage
        .spawn(lookups.root, "/usr/bin/node", &args, APP, &[]);
    lookups.told(other, "evil.example", ADDRESS);
    lookups.stage.pass(200_000_000_000);
    lookups.told(lookups.root, package_host(), ADDRESS);
    assert_eq!(
        lookups.seen(lookups.root).all(),
        (package_host(), "yes", "false")
    );
    lookups.stage.pass(150_000_000_000);
    // The same alert is a repeat.
    lookups.connect(lookups.root, ADDRESS, 4445, 0);
    assert_eq!(lookups.last().field("DestinationTrusted"), "true");
}

#[test]
fn a_host_that_the_user_trusts_silences_the_branch_and_a_package_host_the_port_only() {
    let mut lookups = Lookups::new();
    lookups.told(lookups.root, "svc.corp.example", ADDRESS);
    lookups.connect(lookups.root, ADDRESS, 4444, 0);
    let outcome = play_with(&lookups.stage, &["CORP.example"]);
    assert!(outcome.alerts.is_empty());
    assert_eq!(outcome.report.suppressed["trust"], 1);

    let mut lookups = Lookups::new();
    lookups.told(lookups.root, package_host(), ADDRESS);
    lookups.connect(lookups.root, ADDRESS, 4444, 0);
    // The rule of these tests does not ask `DestinationTrusted`.
    assert_eq!(play_with(&lookups.stage, &[]).alerts.len(), 1);
}

#[test]
fn the_metadata_service_is_trusted_under_no_name() {
    let mut lookups = Lookups::new();
    lookups.told(lookups.root, package_host(), "169.254.169.254");
    lookups.connect(lookups.root, "169.254.169.254", 80, 0);
    let seen = lookups.last();
    assert_eq!(seen.all(), (package_host(), "yes", "false"));
}
