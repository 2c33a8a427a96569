//! From an act to its alert in the journal, while npm installs.

use std::collections::HashMap;
use std::fs;
use std::process::Child;

use anyhow::{Context, ensure};

use super::figure::{Figure, Sample, Section, Unit};
use super::process::cpu_at_end;
use super::stage::Stage;
use super::watcher::Watcher;
use super::{Plan, say};

/// Alerts of one rule in one session, beyond which they are only counted.
const EACH: u64 = 50;
const A_SECOND: u64 = 140;
const RULE: &str = "title: A File That Only A Benchmark Opens
id: 5d9a7f0e-2f0b-4f6e-9f3e-6f1f1c1d0a01
status: test
description: Raises one alert for each act of a benchmark.
logsource:
  category: file_access
  product: linux
detection:
  selection:
    FileName|endswith: '.pkgwarden-bench'
  condition: selection
level: high
";

pub(super) fn measure(stage: &Stage, plan: Plan) -> anyhow::Result<Section> {
    let mut section = Section {
        title: "Latency",
        how: vec![format!(
            "{} opens during an npm ci, {A_SECOND} a second, each of which raises an alert: from just \
             before the call to the entry's `_SOURCE_REALTIME_TIMESTAMP` in a journald of the \
             benchmark's own.",
            plan.acts
        )],
        commands: vec!["load acts 50 140 FOLDER LOG  # as many times as needed".to_owned()],
        ..Section::default()
    };
    let Some(journal) = &stage.journal else {
        section
            .skipped
            .push("there is no systemd-journald here".to_owned());
        return Ok(section);
    };
    say("acts during an npm ci");
    let rules = stage.path("rules");
    fs::write(rules.join("bench.yml"), RULE)?;
    let rules = rules.display().to_string();
    let watching = Watcher::Pkgwarden.start_with(stage, &["--rules", &rules])?;

    let project = stage.path("npm");
    let _ = fs::remove_dir_all(project.join("node_modules"));
    let mut npm = stage.command("npm");
    let mut npm = npm
        .args(["ci", "--offline"])
        .current_dir(&project)
        .spawn()?;
    let acts = acts(stage, plan.acts);
    let npm = end(&mut npm);
    let (acts, _) = (acts?, npm?);
    let _ = watching.cpu()?;
    let lost = watching.lost()?;
    drop(watching);

    let arrived = arrivals(&journal.entries());
    let mut latency = Sample::default();
    for (name, time) in &acts {
        if let Some(arrived) = arrived.get(name.as_str()) {
            latency.push((arrived - time) * 1e3);
        }
    }
    let missing = acts.len() - latency.len();
    let figure =
        |what, quantile| Figure::new(what, Unit::Milliseconds, latency.clone()).quantile(quantile);
    section.figures = vec![
        figure("act → journal, half of all", 0.5),
        figure("act → journal, 99 of 100", 0.99).at_most(10.0),
        figure("act → journal, the slowest", 1.0),
        Figure::one("acts without an alert", Unit::Count, missing as f64).at_most(0.0),
        Figure::one("events lost by pkgwarden", Unit::Count, lost).at_most(0.0),
    ];
    Ok(section)
}

/// The acts' names and times, in seconds since 1970.
fn acts(stage: &Stage, count: u64) -> anyhow::Result<Vec<(String, f64)>> {
    let mut all = Vec::new();
    for _ in 0..count.div_ceil(EACH) {
        let log = stage.path("acts.log");
        // Each is an install of its own, since one of them raises only so many alerts of a rule.
        let status = stage
            .command(&stage.manager)
            .args(["pip", "install", "load", "acts"])
            .args([EACH.to_string(), A_SECOND.to_string()])
            .args([stage.path(""), log.clone()])
            .status()?;
        ensure!(status.success(), "the acts ended with {status}");
        for line in fs::read_to_string(&log)?.lines() {
            let (name, time) = line.split_once(' ').context("a line of the acts' log")?;
            all.push((name.to_owned(), time.parse::<f64>()? / 1e9));
        }
    }
    Ok(all)
}

fn end(child: &mut Child) -> anyhow::Result<f64> {
    cpu_at_end(child).context("npm ci beside the acts")
}

/// When the alert about each file was logged, in seconds since 1970.
fn arrivals(entries: &[serde_json::Value]) -> HashMap<String, f64> {
    entries
        .iter()
        .filter_map(|entry| {
            let path = entry["PKGWARDEN_PATH"].as_str()?;
            let time: f64 = entry["_SOURCE_REALTIME_TIMESTAMP"].as_str()?.parse().ok()?;
            Some((path.rsplit('/').next()?.to_owned(), time / 1e6))
        })
        .collect()
}
