//! What the daemon keeps in memory.

use std::fs;
use std::process::Child;

use anyhow::ensure;

use super::figure::{Figure, Section, Unit};
use super::stage::Stage;
use super::watcher::Watcher;
use super::{Plan, say};

const AIM: f64 = 30.0;
const FORKS: &str = "for (1 .. shift) { my $p = fork // die $!; exit 0 unless $p; waitpid $p, 0 }";

pub(super) fn measure(stage: &Stage, plan: Plan) -> anyhow::Result<Section> {
    let watching = Watcher::Pkgwarden.start(stage)?;
    let project = stage.path("npm");
    let _ = fs::remove_dir_all(project.join("node_modules"));
    say("memory: npm ci");
    stage.timed(&["npm", "ci", "--offline"], &project)?;
    let _ = watching.cpu()?;
    let after_npm = watching.memory()?;

    say(&format!("memory: {} short processes", plan.processes));
    let each = (plan.processes / 2).to_string();
    let begun = std::time::Instant::now();
    let mut forking = Vec::new();
    for _ in 0..2 {
        let took = stage.path("forks-took");
        let mut command = stage.command(&stage.manager);
        command
            .args(["load", "timed"])
            .arg(took)
            .args(["perl", "-e", FORKS, &each]);
        forking.push(command.spawn()?);
    }
    let ended: Vec<_> = forking.iter_mut().map(Child::wait).collect();
    for status in ended {
        let status = status?;
        ensure!(status.success(), "the forks ended with {status}");
    }
    let took = begun.elapsed().as_secs_f64();
    let cpu = watching.cpu()?;
    let after_forks = watching.memory()?;
    let forks = |figure: &str| format!("{figure} {} short processes", plan.processes);
    let figures = vec![
        Figure::one("peak after npm ci", Unit::Mebibytes, after_npm.peak).at_most(AIM),
        Figure::one("then", Unit::Mebibytes, after_npm.now),
        Figure::one(forks("peak after"), Unit::Mebibytes, after_forks.peak).at_most(AIM),
        Figure::one("then", Unit::Mebibytes, after_forks.now),
        Figure::one(forks("wall of"), Unit::Seconds, took),
        Figure::one("pkgwarden's own CPU in both", Unit::Seconds, cpu),
        Figure::one("events lost", Unit::Count, watching.lost()?).at_most(0.0),
    ];
    Ok(Section {
        title: "Memory",
        how: vec![
            "Resident memory of one daemon without its rings (12 MiB, which it has mapped twice), \
             since its start: after npm ci, and after processes that fork and exit, two at a time."
                .to_owned(),
        ],
        commands: vec![format!("perl -e '{FORKS}' {each}  # twice at once")],
        figures,
        skipped: Vec::new(),
    })
}
