//! The core from events to findings, with rules of its own, so that tuning the shipped ones leaves
//! these tests alone.

mod chains;
mod daemon;
mod exemptions;
mod findings;
mod names;
mod outcomes;
mod seed;
mod startup;
mod steps;

use std::path::Path;

use super::{Core, Finding, Settings, Trust};
use crate::alert::report::Report;
use crate::alert::schema::{self, Alert};
use crate::detect::{RuleSet, Sources};
use crate::event::stage::Stage;
use crate::health::{Code, Health};

fn core(trust: &[&str]) -> Core {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core/tests/rules");
    let rules = RuleSet::load(&Sources {
        rule_dirs: vec![folder],
        ..Sources::default()
    })
    .expect("the tests' rules are right");
    let mut peers = Trust::default();
    for given in trust {
        peers.add(given).unwrap();
    }
    Core::new(Settings {
        rules,
        trust: peers,
    })
}

/// What a stage gave.
struct Outcome {
    alerts: Vec<Alert>,
    suppressed: Vec<Alert>,
    health: Vec<Health>,
    report: Report,
    sessions: Vec<Report>,
    open: Vec<Report>,
}

impl Outcome {
    fn titles(&self) -> Vec<&str> {
        self.alerts.iter().map(|a| a.title.as_str()).collect()
    }

    fn codes(&self) -> Vec<Code> {
        self.health.iter().map(|health| health.code).collect()
    }
}

/// Where a report says that was connected to, how it ended, and how often.
fn connections(report: &Report) -> Vec<(&str, schema::Outcome, u64)> {
    let connections = report.connections.iter();
    connections
        .map(|c| (c.ip.as_deref().unwrap(), c.outcome, c.count))
        .collect()
}

fn play(stage: &Stage) -> Outcome {
    play_with(stage, &[])
}

fn play_with(stage: &Stage, trust: &[&str]) -> Outcome {
    let mut core = core(trust);
    let mut sessions = Vec::new();
    let (mut alerts, mut suppressed, mut health) = (Vec::new(), Vec::new(), Vec::new());
    for event in &stage.events {
        for mut finding in core.handle(event) {
            // Where this folder lies, and the exact text of the tests' rules, are not the point.
            if let Finding::Alert(alert) | Finding::Suppressed(alert) = &mut finding {
                let file = Path::new(&alert.rule.file).file_name().unwrap();
                alert.rule.file = file.to_string_lossy().into_owned();
                alert.sensor.rules_sha256 = "0".repeat(64);
            }
            match finding {
                Finding::Alert(alert) => alerts.push(*alert),
                Finding::Suppressed(alert) => suppressed.push(*alert),
                Finding::Health(record) => health.push(record),
                Finding::Session(report) => sessions.push(*report),
            }
        }
    }
    Outcome {
        alerts,
        suppressed,
        health,
        report: core.report(),
        sessions,
        open: core.open_sessions(),
    }
}
