//! Installs of hundreds of packages, with each of those who watch.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::figure::{Figure, Sample, Section, Unit};
use super::stage::{Stage, WHEELS};
use super::watcher::Watcher;
use super::{Plan, say};

const AIM: f64 = 1.015;
const CPU_AIM: f64 = 0.15;

/// What one of those who watch came to.
#[derive(Default)]
struct Measured {
    wall: Sample,
    /// Beside the bare run of the same round.
    ratio: Sample,
    cpu: Sample,
}

pub(super) fn npm(stage: &Stage, plan: Plan) -> anyhow::Result<Section> {
    let project = stage.path("npm");
    let installed = project.join("node_modules");
    let mut section = Section {
        title: "npm ci",
        commands: vec!["npm ci --offline".to_owned()],
        ..Section::default()
    };
    let command = ["npm", "ci", "--offline"];
    let install = Install {
        command: &command,
        directory: project.clone(),
        made: installed.clone(),
        wall_aim: Some(AIM),
        cpu_aim: Some(CPU_AIM),
    };
    install.measure(stage, plan, &Watcher::ALL, &mut section)?;
    let lock = fs::read(installed.join(".package-lock.json"))?;
    let lock: serde_json::Value = serde_json::from_slice(&lock)?;
    let packages = lock["packages"].as_object().map_or(0, serde_json::Map::len);
    section.how.insert(
        0,
        format!(
            "{packages} packages of `tests/fixtures/npm/honest-project`, from npm's own cache, into an \
             empty folder of a file system in memory."
        ),
    );
    Ok(section)
}

pub(super) fn pip(stage: &Stage, plan: Plan) -> anyhow::Result<Section> {
    let target = stage.path("site");
    let (wheels, site) = (
        stage.wheels.display().to_string(),
        target.display().to_string(),
    );
    let mut command = vec!["/usr/bin/python3", "-m", "pip", "install", "--quiet"];
    command.extend([
        "--no-deps",
        "--no-index",
        "--find-links",
        &wheels,
        "--target",
        &site,
    ]);
    command.extend(WHEELS);
    let mut section = Section {
        title: "pip install",
        how: vec![format!(
            "{} wheels from a folder, numpy the largest.",
            WHEELS.len()
        )],
        commands: vec![format!(
            "python3 -m pip install --no-deps --no-index --find-links WHEELS --target SITE {}",
            WHEELS.join(" ")
        )],
        ..Section::default()
    };
    let install = Install {
        command: &command,
        directory: stage.path(""),
        made: target,
        wall_aim: Some(AIM),
        cpu_aim: None,
    };
    install.measure(
        stage,
        plan,
        &[Watcher::Nobody, Watcher::Pkgwarden],
        &mut section,
    )?;
    Ok(section)
}

struct Install<'a> {
    command: &'a [&'a str],
    directory: PathBuf,
    /// What it makes, and does not find.
    made: PathBuf,
    wall_aim: Option<f64>,
    cpu_aim: Option<f64>,
}

impl Install<'_> {
    fn measure(
        &self,
        stage: &Stage,
        plan: Plan,
        watchers: &[Watcher],
        section: &mut Section,
    ) -> anyhow::Result<()> {
        let mut able = Vec::new();
        for watcher in watchers {
            match watcher.missing() {
                None => able.push(*watcher),
                Some(why) => section.skipped.push(format!("{}: {why}", watcher.name())),
            }
        }
        let mut measured: BTreeMap<&str, Measured> = BTreeMap::new();
        let mut lost = Sample::default();
        for round in 0..plan.rounds {
            say(&format!(
                "{}, round {} of {}",
                section.title,
                round + 1,
                plan.rounds
            ));
            // Each begins a round as often as the others.
            let shift = round % able.len();
            able.rotate_left(shift);
            let mut walls = BTreeMap::new();
            for watcher in &able {
                let _ = fs::remove_dir_all(&self.made);
                let watching = watcher.start(stage)?;
                let wall = stage.timed(self.command, &self.directory)?;
                let of = measured.entry(watcher.name()).or_default();
                of.cpu.push(watching.cpu()?);
                of.wall.push(wall);
                if *watcher == Watcher::Pkgwarden {
                    lost.push(watching.lost()?);
                }
                walls.insert(watcher.name(), wall);
            }
            able.rotate_right(shift);
            let bare = walls["nobody"];
            for (name, wall) in walls {
                if let Some(of) = measured.get_mut(name) {
                    of.ratio.push(wall / bare);
                }
            }
        }
        for watcher in &able {
            let name = watcher.name();
            let of = measured.remove(name).unwrap_or_default();
            let watched = format!("watched by {name}");
            if *watcher == Watcher::Nobody {
                let figure = Figure::new("wall, unwatched", Unit::Seconds, of.wall);
                section.figures.push(figure);
                continue;
            }
            let own = *watcher == Watcher::Pkgwarden;
            let mut ratio = Figure::new(format!("wall, {watched}"), Unit::Ratio, of.ratio);
            ratio.aim = self
                .wall_aim
                .filter(|_| own)
                .map(super::figure::Aim::AtMost);
            let mut cpu = Figure::new(format!("{name}'s own CPU"), Unit::Seconds, of.cpu);
            cpu.aim = self.cpu_aim.filter(|_| own).map(super::figure::Aim::AtMost);
            section.figures.extend([ratio, cpu]);
        }
        let lost = Figure::new("events lost by pkgwarden", Unit::Count, lost);
        section.figures.push(lost.at_most(0.0).quantile(1.0));
        Ok(())
    }
}
