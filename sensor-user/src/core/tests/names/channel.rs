//! Questions as acts, with the shipped rules.

use super::*;
use crate::alert::schema::EventWord;
use crate::core::{Core, Finding, Settings, Trust};
use crate::detect::{RuleSet, Sources};

const RULE: &str = "callback/script-dns-channel.yml";

fn alerts(stage: &Stage, trust: &[&str]) -> Vec<Alert> {
    let rules = RuleSet::load(&Sources {
        shipped: true,
        ..Sources::default()
    });
    let mut peers = Trust::default();
    for given in trust {
        peers.add(given).unwrap();
    }
    let mut core = Core::new(Settings {
        rules: rules.expect("the shipped rules are right"),
        trust: peers,
    });
    let findings = stage.events.iter().flat_map(|event| core.handle(event));
    findings
        .filter_map(|finding| match finding {
            Finding::Alert(alert) if alert.rule.file == RULE => Some(*alert),
            _ => None,
        })
        .collect()
}

fn exfiltration(chunks: u32) -> Stage {
    let mut lookups = Lookups::bare();
    lookups.npm();
    let script = lookups.script();
    for n in 0..chunks {
        let name = format!("{n:02x}{}.t.evil.example", "6162".repeat(10));
        lookups.ask(script, &name);
    }
    lookups.stage
}

#[test]
fn data_that_leaves_in_names_is_one_alert_that_says_where_to() {
    let found = alerts(&exfiltration(40), &[]);
    assert_eq!(found.len(), 1);
    let alert = &found[0];
    assert_eq!(alert.evidence.event, EventWord::Dns);
    assert!(alert.summary.contains("evil.example"), "{}", alert.summary);
    let destination = alert.destination.as_ref().unwrap();
    assert_eq!(destination.ip.as_deref(), Some("10.0.0.2"));
    assert_eq!(destination.domain_source.as_deref(), Some("question"));
    assert_eq!(alert.network.as_ref().unwrap().transport, "udp");
    assert_eq!(alert.package.as_ref().unwrap().name, "evil");
    assert!(alerts(&exfiltration(3), &[]).is_empty());
    assert!(alerts(&exfiltration(40), &["evil.example"]).is_empty());
}

#[test]
fn texts_that_a_script_asks_for_by_the_dozen_are_an_alert_and_a_managers_are_not() {
    let ask = |process: fn(&mut Lookups) -> ProcessKey| {
        let mut lookups = Lookups::bare();
        lookups.npm();
        let process = process(&mut lookups);
        for n in 0..20 {
            let mut question = lookups.ask(process, &format!("{n}.evil.example"));
            question.message.question.as_mut().unwrap().kind = 16;
            lookups.message(process, question);
        }
        alerts(&lookups.stage, &[]).len()
    };
    assert_eq!(ask(Lookups::script), 1);
    assert_eq!(ask(|lookups| lookups.root), 0);
}
