//! Single calls: what they cost where nobody watches, beside the daemon, and watched by it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::figure::{Figure, Sample, Section, Unit};
use super::stage::Stage;
use super::watcher::Watcher;
use super::{Plan, say};

/// A call, and by how many nanoseconds it may take longer: unwatched beside the daemon, and watched.
struct Call {
    name: &'static str,
    arguments: Vec<String>,
    more: [f64; 2],
}

pub(super) fn measure(stage: &Stage, plan: Plan) -> anyhow::Result<Section> {
    // The file is the tenth component after the stage's own folder is counted in.
    let mut file = stage.path("deep");
    let own = file.components().count() - 1;
    file.extend((own..9).map(|level| format!("level-{level}")));
    fs::create_dir_all(&file)?;
    file.push("plain.txt");
    fs::write(&file, "x")?;
    let workflow = file.with_file_name(".npmrc");
    fs::write(&workflow, "x")?;

    let count = plan.calls.to_string();
    let call = |name, arguments: &[&str], more| Call {
        name,
        arguments: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        more,
    };
    let fewer = (plan.calls / 10).to_string();
    let programs = plan.programs.to_string();
    let calls = [
        call(
            "open+close, ten components",
            &["open", &count, &file.display().to_string()],
            [70.0, 700.0],
        ),
        call(
            "the same of a file that a rule asks for",
            &["open", &fewer, &workflow.display().to_string()],
            [70.0, 5_000.0],
        ),
        call(
            "getppid",
            &["getppid", &(plan.calls * 5).to_string()],
            [40.0, 40.0],
        ),
        call(
            "socket+connect+close, refused",
            &["connect", &fewer],
            [500.0, 5_000.0],
        ),
        call("fork+exec+exit", &["exec", &programs], [20_000.0, 60_000.0]),
    ];

    let mut bare = BTreeMap::<&str, Sample>::new();
    let mut beside = BTreeMap::<&str, Sample>::new();
    let mut watched = BTreeMap::<&str, Sample>::new();
    let mut lost = Sample::default();
    for round in 0..plan.rounds {
        say(&format!(
            "single calls, round {} of {}",
            round + 1,
            plan.rounds
        ));
        let mut one = BTreeMap::new();
        for call in &calls {
            let took = took(stage, stage.command(&stage.load), call)?;
            one.insert(call.name, took);
            bare.entry(call.name).or_default().push(took);
        }
        let watching = Watcher::Pkgwarden.start(stage)?;
        for call in &calls {
            let without = one[call.name];
            let unwatched = took(stage, stage.command(&stage.load), call)?;
            beside
                .entry(call.name)
                .or_default()
                .push(unwatched - without);
            let within = took(stage, stage.command(&stage.manager), call)?;
            watched.entry(call.name).or_default().push(within - without);
        }
        lost.push(watching.lost()?);
    }

    let mut figures = Vec::new();
    for call in &calls {
        let name = call.name;
        let take = |of: &mut BTreeMap<&str, Sample>| of.remove(name).unwrap_or_default();
        let plain = Figure::new(format!("{name}: bare"), Unit::Nanoseconds, take(&mut bare));
        let more = |what: &str, sample, most| {
            let what = format!("{name}: {what}");
            Figure::new(what, Unit::Nanoseconds, sample).at_most(most)
        };
        figures.push(plain);
        figures.push(more("+ not watched", take(&mut beside), call.more[0]));
        figures.push(more("+ watched", take(&mut watched), call.more[1]));
    }
    let lost = Figure::new("events lost by pkgwarden", Unit::Count, lost);
    figures.push(lost.at_most(0.0).quantile(1.0));
    Ok(Section {
        title: "Single calls",
        how: vec![
            "One thread in a loop: without a daemon; beside one, by a program that it does not watch; \
             and by the same program under a package manager's name, which it watches."
                .to_owned(),
        ],
        commands: calls.iter().map(|call| format!("load {}", call.arguments[0])).collect(),
        figures,
        skipped: Vec::new(),
    })
}

fn took(stage: &Stage, mut command: Command, call: &Call) -> anyhow::Result<f64> {
    stage.number(command.arg("load").args(&call.arguments))
}
