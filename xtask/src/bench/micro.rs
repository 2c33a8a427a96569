//! Single calls: what they cost where nobody watches, beside the daemon, and watched by it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::figure::{Figure, Sample, Section, Unit};
use super::stage::Stage;
use super::watcher::Watcher;
use super::{Plan, say};

/// What open+close took, in nanoseconds, where its aims were set.
const BARE_OPEN: f64 = 560.0;
/// In a round, of each.
const TRIES: usize = 5;

/// A call, and by how many nanoseconds it may take longer: unwatched beside the daemon, and watched.
struct Call {
    name: &'static str,
    arguments: Vec<String>,
    more: [f64; 2],
    /// The same in percent of the bare call, where the aim's own machine is known.
    shares: Option<[f64; 2]>,
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

    let count = (plan.calls / 4).to_string();
    let call = |name, arguments: &[&str], more| Call {
        name,
        arguments: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        more,
        shares: None,
    };
    let fewer = (plan.calls / 20).to_string();
    let programs = (plan.programs / 2).to_string();
    let calls = [
        Call {
            shares: Some([70.0 / BARE_OPEN * 100.0, 700.0 / BARE_OPEN * 100.0]),
            ..call(
                "open+close, ten components",
                &["open", &count, &file.display().to_string()],
                [70.0, 700.0],
            )
        },
        call(
            "the same of a file that a rule asks for",
            &["open", &fewer, &workflow.display().to_string()],
            [70.0, 5_000.0],
        ),
        call(
            "getppid",
            &["getppid", &plan.calls.to_string()],
            [40.0, 40.0],
        ),
        call(
            "socket+connect+close, refused",
            &["connect", &fewer],
            [500.0, 5_000.0],
        ),
        call("fork+exec+exit", &["exec", &programs], [20_000.0, 60_000.0]),
    ];

    let mut bare_all = BTreeMap::<&str, Sample>::new();
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
            let took = took(stage, &stage.load, call)?;
            one.insert(call.name, took);
            bare_all.entry(call.name).or_default().push(took);
        }
        let watching = Watcher::Pkgwarden.start(stage)?;
        for call in &calls {
            let without = one[call.name];
            let unwatched = took(stage, &stage.load, call)?;
            beside
                .entry(call.name)
                .or_default()
                .push(unwatched - without);
            let within = took(stage, &stage.manager, call)?;
            watched.entry(call.name).or_default().push(within - without);
        }
        lost.push(watching.lost()?);
    }

    let mut figures = Vec::new();
    for call in &calls {
        let name = call.name;
        let take = |of: &mut BTreeMap<&str, Sample>| of.remove(name).unwrap_or_default();
        let plain = Figure::new(
            format!("{name}: bare"),
            Unit::Nanoseconds,
            take(&mut bare_all),
        );
        let more = |what: &str, sample, most| {
            let what = format!("{name}: {what}");
            Figure::new(what, Unit::Nanoseconds, sample).at_most(most)
        };
        let bare = plain.value();
        figures.push(plain);
        let (beside, watched) = (take(&mut beside), take(&mut watched));
        let shares = call.shares.map(|shares| {
            let share = |what: &str, sample: &Sample, most| {
                let what = format!("{name}: {what}, of the bare call");
                let share = sample.quantile(0.5) / bare * 100.0;
                Figure::one(what, Unit::Percent, share).at_most(most)
            };
            [
                share("+ not watched", &beside, shares[0]),
                share("+ watched", &watched, shares[1]),
            ]
        });
        figures.push(more("+ not watched", beside, call.more[0]));
        figures.push(more("+ watched", watched, call.more[1]));
        figures.extend(shares.into_iter().flatten());
    }
    let lost = Figure::new("events lost by pkgwarden", Unit::Count, lost);
    figures.push(lost.at_most(0.0).quantile(1.0));
    Ok(Section {
        title: "Single calls",
        how: vec![
            "One thread in a loop: without a daemon; beside one, by a program that it does not watch; \
             and by the same program under a package manager's name, which it watches. Of five runs \
             each the shortest."
                .to_owned(),
            "The aims for an open are of a machine where it takes 560 ns. Where system calls take \
             longer altogether, the shares of the bare call tell more."
                .to_owned(),
        ],
        commands: calls.iter().map(|call| format!("load {}", call.arguments[0])).collect(),
        figures,
        skipped: Vec::new(),
    })
}

/// The least of a few: whatever else the machine does only adds to it.
fn took(stage: &Stage, program: &Path, call: &Call) -> anyhow::Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..TRIES {
        let mut command = stage.command(program);
        least = least.min(stage.number(command.arg("load").args(&call.arguments))?);
    }
    Ok(least)
}
