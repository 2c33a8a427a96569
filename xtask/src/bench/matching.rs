//! One event against all rules: what criterion measures of it (`sensor-user/benches/matching.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use serde_json::Value;
use xshell::{Shell, cmd};

use super::figure::{Figure, Sample, Section, Unit};
use super::say;
use crate::workspace;

/// Rules, and in nanoseconds what an event may take at most with so many; the first is the shipped set,
/// of whatever size.
const AIMS: [(Option<u64>, f64); 3] = [(None, 1_500.0), (Some(122), 1_800.0), (Some(500), 4_500.0)];
const COMMAND: &str = "cargo bench -p sensor-user --bench matching";

pub(super) fn measure(sh: &Shell) -> anyhow::Result<Section> {
    say("one event against all rules");
    let begun = SystemTime::now();
    cmd!(sh, "cargo bench -p sensor-user --bench matching -- --quiet")
        .quiet()
        .ignore_stdout()
        .run()?;
    section(&workspace::root().join("target/criterion"), begun)
}

fn section(folder: &Path, since: SystemTime) -> anyhow::Result<Section> {
    let mut measured: Vec<(u64, String, Sample)> = Vec::new();
    for result in results(folder, since)? {
        measured.extend(read(&result)?);
    }
    measured.sort_by(|(a, name, _), (b, other, _)| (a, name).cmp(&(b, other)));
    let figures = measured.into_iter().map(|(rules, name, sample)| {
        let figure = Figure::new(format!("{rules} rules, {name}"), Unit::Nanoseconds, sample);
        let of_size = AIMS.iter().find(|(size, _)| *size == Some(rules));
        let (_, aim) = of_size.unwrap_or(&AIMS[0]);
        // What nearly all events are, and all that there are of attacks.
        match name.starts_with("acts of") || name == "recorded" {
            true => figure.at_most(*aim),
            false => figure,
        }
    });
    Ok(Section {
        title: "Matching",
        how: vec![
            "One event against all rules, on one core: with the shipped set, and with copies of \
             its rules up to 122 and 500. \"Acts\" are those of a process that goes on, which \
             nearly all events are; \"a new process\" is its first event, of which what follows \
             profits; \"recorded\" are all events of `rules/tests`."
                .to_owned(),
            "The recorded events are asked about again and again, so that what their processes \
             decide is known: where nothing is found this is the least an event takes. Where \
             something is found, the engine judges the rules in question and an alert's evidence is \
             made: the price of every match, also of an alert that is not sent again. In an attack \
             that is a quarter of all events, in an honest install nearly none."
                .to_owned(),
        ],
        commands: vec![COMMAND.to_owned()],
        figures: figures.collect(),
        skipped: Vec::new(),
    })
}

/// The folders of results that were written since then.
fn results(folder: &Path, since: SystemTime) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let groups = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for group in groups {
        let group = group?;
        if !group.file_name().to_string_lossy().starts_with("matching_") {
            continue;
        }
        for benchmark in fs::read_dir(group.path())? {
            let new = benchmark?.path().join("new");
            let written = fs::metadata(new.join("sample.json")).and_then(|file| file.modified());
            if written.is_ok_and(|written| written >= since) {
                found.push(new);
            }
        }
    }
    Ok(found)
}

/// How many rules, what was measured, and nanoseconds an event.
fn read(result: &Path) -> anyhow::Result<Option<(u64, String, Sample)>> {
    let json = |name: &str| -> anyhow::Result<Value> {
        let path = result.join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_str(&text)?)
    };
    let (about, sample) = (json("benchmark.json")?, json("sample.json")?);
    let group = about["group_id"].as_str().unwrap_or_default();
    let rules = group.strip_prefix("matching/").and_then(|n| n.parse().ok());
    let events = about["throughput"]["Elements"].as_f64();
    let name = about["function_id"].as_str();
    let (Some(rules), Some(events), Some(name)) = (rules, events, name) else {
        return Ok(None);
    };
    let numbers = |key: &str| -> Vec<f64> {
        let numbers = sample[key].as_array().into_iter().flatten();
        numbers.filter_map(Value::as_f64).collect()
    };
    let each = numbers("times").into_iter().zip(numbers("iters"));
    let each = each.map(|(time, iterations)| time / iterations / events);
    Ok(Some((rules, name.to_owned(), each.collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_of_criterions_is_read_as_time_an_event() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("matching_122/recorded/new");
        fs::create_dir_all(&new).unwrap();
        let about = r#"{"group_id": "matching/122", "function_id": "acts of a script", "throughput": {"Elements": 10}}"#;
        fs::write(new.join("benchmark.json"), about).unwrap();
        let sample = r#"{"iters": [1.0, 2.0], "times": [15000.0, 34000.0]}"#;
        fs::write(new.join("sample.json"), sample).unwrap();
        let section = section(folder.path(), SystemTime::UNIX_EPOCH).unwrap();
        let [figure] = &section.figures[..] else {
            panic!("{}", section.figures.len())
        };
        assert_eq!(figure.what, "122 rules, acts of a script");
        assert!((1500.0..=1700.0).contains(&figure.value()));
        assert_eq!(figure.is_met(), Some(true));
    }
}
