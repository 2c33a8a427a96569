//! The start of `run`, and the pure core at its own pace.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};

use super::figure::{Figure, Sample, Section, Unit};
use super::process::cpu_at_end;
use super::stage::Stage;
use super::{Plan, say};

/// Events of the capture that is replayed: an install, again and again.
const EVENTS: usize = 300_000;

pub(super) fn measure(stage: &Stage, plan: Plan) -> anyhow::Result<Section> {
    say("the start of run, and a replay");
    let mut start = Sample::default();
    for _ in 0..plan.rounds {
        start.push(started(stage)?);
    }
    let (capture, events) = capture(stage)?;
    let mut rate = Sample::default();
    for _ in 0..plan.rounds {
        let mut child = stage
            .command(&stage.pkgwarden)
            .arg("replay")
            .arg(&capture)
            .spawn()?;
        rate.push(events as f64 / cpu_at_end(&mut child)?);
    }
    Ok(Section {
        title: "Replay, and the start of a run",
        how: vec![
            format!(
                "{events} events: what `run --record` wrote of an npm ci, repeated. Reading them, the \
                 loading of the rules and writing out what is found are counted in."
            ),
            "The start of a run is the time until its command begins, without a daemon.".to_owned(),
        ],
        commands: vec![
            "pkgwarden run --record FILE -- npm ci --offline".to_owned(),
            "pkgwarden replay FILE".to_owned(),
        ],
        figures: vec![
            Figure::new("start of `run` → its command", Unit::Milliseconds, start).at_most(500.0),
            Figure::new("replay, events a second of CPU", Unit::PerSecond, rate)
                .at_least(300_000.0),
        ],
        skipped: Vec::new(),
    })
}

/// Milliseconds until the command of a run begins.
fn started(stage: &Stage) -> anyhow::Result<f64> {
    let stamp = stage.path("stamp");
    let begun = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let status = stage
        .command(&stage.pkgwarden)
        .args(["run", "--"])
        .arg(&stage.load)
        .args(["load", "stamp"])
        .arg(&stamp)
        .status()?;
    ensure!(status.success(), "the run ended with {status}");
    let stamp: f64 = fs::read_to_string(&stamp)?
        .parse()
        .context("no time was written")?;
    Ok((stamp / 1e9 - begun) * 1e3)
}

fn capture(stage: &Stage) -> anyhow::Result<(std::path::PathBuf, usize)> {
    let (once, all) = (stage.path("once.ndjson"), stage.path("all.ndjson"));
    let project = stage.path("npm");
    let _ = fs::remove_dir_all(project.join("node_modules"));
    let status = stage
        .command(&stage.pkgwarden)
        .args(["run", "--record"])
        .arg(&once)
        .args(["--", "npm", "ci", "--offline"])
        .current_dir(&project)
        .status()?;
    ensure!(status.success(), "the recorded run ended with {status}");
    let lines: Vec<String> = BufReader::new(File::open(&once)?)
        .lines()
        .collect::<Result<_, _>>()?;
    let (header, lines) = lines.split_first().context("the capture is empty")?;
    let mut out = BufWriter::new(File::create(&all)?);
    writeln!(out, "{header}")?;
    let mut events = 0;
    while events < EVENTS {
        for line in lines {
            writeln!(out, "{line}")?;
        }
        events += lines.len();
    }
    out.flush()?;
    Ok((all, events))
}
