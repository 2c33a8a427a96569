//! What watching costs, measured beside auditd and bpftrace on the same machine in the same run, and
//! written to docs/benchmarks.md.
//!
//! Runs alternate, so that what the machine does meanwhile falls on all alike, and pairs of one round
//! are compared with each other. The quiet part is the machine's owner's: nothing else should run.

mod figure;
mod install;
mod latency;
mod machine;
mod matching;
mod memory;
mod micro;
mod page;
mod probes;
mod process;
mod replay;
mod stage;
mod watcher;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use nix::unistd::geteuid;
use xshell::{Shell, cmd};

use crate::{build, workspace};
use figure::Section;
use stage::Stage;
use watcher::WithoutAudit;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A trial of everything in a few minutes: two rounds, little work. Its figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// So many rounds instead of ten.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// The pkgwarden to measure, instead of building one.
    #[arg(long, value_name = "FILE")]
    pkgwarden: Option<PathBuf>,
    /// Write the page here.
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks.md")]
    output: PathBuf,
    /// Only these parts.
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// npm ci and pip install, watched by each.
    Install,
    /// Single calls.
    Micro,
    /// From an act to the journal.
    Latency,
    /// Resident memory.
    Memory,
    /// The start of `run`, and a replay.
    Replay,
    /// One event against all rules.
    Matching,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: usize,
    /// Calls timed in a row.
    calls: u64,
    programs: u64,
    acts: u64,
    processes: u64,
}

impl Plan {
    fn of(arguments: &Arguments) -> Self {
        let plan = match arguments.quick {
            false => Plan {
                rounds: 10,
                calls: 200_000,
                programs: 400,
                acts: 1_000,
                processes: 1_000_000,
            },
            true => Plan {
                rounds: 2,
                calls: 20_000,
                programs: 50,
                acts: 200,
                processes: 20_000,
            },
        };
        let rounds = arguments.rounds.unwrap_or(plan.rounds).max(1);
        Plan { rounds, ..plan }
    }
}

pub(crate) fn run(sh: &Shell, arguments: &Arguments) -> anyhow::Result<()> {
    if !geteuid().is_root() {
        bail!("a benchmark loads eBPF programs and mounts a file system: run it as root");
    }
    let pkgwarden = match &arguments.pkgwarden {
        Some(file) => file.canonicalize().context("the pkgwarden to measure")?,
        None => build::pkgwarden(sh)?,
    };
    cmd!(
        sh,
        "cargo build --release --quiet --package tests --bin load"
    )
    .run()?;
    let load = workspace::root().join("target/release/load");

    let begun = Instant::now();
    let plan = Plan::of(arguments);
    let _without_audit = WithoutAudit::begin();
    let stage = Stage::make(sh, &pkgwarden, &load)?;
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let mut sections: Vec<Section> = Vec::new();
    if wanted(Part::Install) {
        sections.push(install::npm(&stage, plan)?);
        sections.push(install::pip(&stage, plan)?);
    }
    if wanted(Part::Micro) {
        sections.push(micro::measure(&stage, plan)?);
        sections.push(probes::measure(&stage, plan)?);
    }
    if wanted(Part::Latency) {
        sections.push(latency::measure(&stage, plan)?);
    }
    if wanted(Part::Memory) {
        sections.push(memory::measure(&stage, plan)?);
    }
    if wanted(Part::Replay) {
        sections.push(replay::measure(&stage, plan)?);
    }
    if wanted(Part::Matching) {
        sections.push(matching::measure(sh)?);
    }
    sections.push(stage.starts());
    let machine = machine::describe(sh)?;
    let took = begun.elapsed();
    let page = page::render(&machine, &sections, arguments.quick, took);
    let output = workspace::root().join(&arguments.output);
    sh.write_file(&output, &page)?;
    print!("{}", page::summary(&sections));
    eprintln!(
        "bench: {:.0} s, written to {}",
        took.as_secs_f64(),
        output.display()
    );
    Ok(())
}

/// Says what is being measured: it takes minutes.
fn say(what: &str) {
    eprintln!("bench: {what}");
}
