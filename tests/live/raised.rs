//! Alerts as the rules raise them, without a kernel: from the recordings of the rules' tests.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use pkgwarden::alert::schema::Alert;
use pkgwarden::core::{Core, Finding, Settings, Trust};
use pkgwarden::detect::{RuleSet, Sources};
use pkgwarden::event::capture::Reader;

/// The first alert of the recording of this rule's test.
pub(crate) fn alert(rule: &str) -> Alert {
    let name = format!("../rules/tests/{rule}.ndjson");
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let rules = RuleSet::load(&Sources {
        shipped: true,
        ..Sources::default()
    });
    let mut core = Core::new(Settings {
        rules: rules.unwrap(),
        trust: Trust::default(),
    });
    let reader = Reader::new(BufReader::new(File::open(recording).unwrap())).unwrap();
    let mut findings = reader.flat_map(|event| core.handle(&event.unwrap()));
    let raised = findings.find_map(|finding| match finding {
        Finding::Alert(alert) => Some(*alert),
        _ => None,
    });
    raised.expect("the recording raises an alert")
}
