//! Where the time of a watched call goes: each of the daemon's programs by the kernel's own clock.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::figure::{Figure, Section, Unit};
use super::stage::Stage;
use super::watcher::Watcher;
use super::{Plan, say};

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// The program that an open runs at its end.
const OPEN: &str = "open_exit";

/// The kernel's accounting of eBPF programs, on until this is dropped.
struct Accounting(String);

impl Accounting {
    fn begin() -> anyhow::Result<Self> {
        let before = fs::read_to_string(SWITCH).with_context(|| SWITCH.to_owned())?;
        fs::write(SWITCH, "1").with_context(|| SWITCH.to_owned())?;
        Ok(Self(before))
    }
}

impl Drop for Accounting {
    fn drop(&mut self) {
        let _ = fs::write(SWITCH, &self.0);
    }
}

/// Runs so far, and nanoseconds in them.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    runs: f64,
    nanoseconds: f64,
}

pub(super) fn measure(stage: &Stage, plan: Plan) -> anyhow::Result<Section> {
    let mut section = Section {
        title: "Where it goes",
        how: vec![
            "The kernel's accounting of the program that runs at the end of an open \
             (`kernel.bpf_stats_enabled`), which adds its own two readings of a clock to each run. What \
             a call takes longer beyond that is the kernel's way to a system call's exit tracepoint."
                .to_owned(),
        ],
        commands: vec![
            "sysctl kernel.bpf_stats_enabled=1; bpftool prog show name open_exit".to_owned(),
        ],
        ..Section::default()
    };
    if let Err(error) = Command::new("bpftool").arg("version").output() {
        section
            .skipped
            .push(format!("bpftool: {error}: `cargo xtask setup` installs it"));
        return Ok(section);
    }
    say("the programs' own time");
    let file = stage.path("deep/plain.txt");
    fs::write(&file, "x")?;
    let _accounting = Accounting::begin()?;
    let watching = Watcher::Pkgwarden.start(stage)?;
    for (what, program) in [("not watched", &stage.load), ("watched", &stage.manager)] {
        let before = used()?;
        stage.number(
            stage
                .command(program)
                .args(["load", "open", &plan.calls.to_string()])
                .arg(&file),
        )?;
        let after = used()?;
        let runs = after.runs - before.runs;
        ensure!(runs >= plan.calls as f64, "{OPEN} did not run at each open");
        let each = (after.nanoseconds - before.nanoseconds) / runs;
        let what = format!("`{OPEN}`, an open that is {what}");
        section
            .figures
            .push(Figure::one(what, Unit::Nanoseconds, each));
    }
    drop(watching);
    Ok(section)
}

fn used() -> anyhow::Result<Used> {
    let output = Command::new("bpftool")
        .args(["--json", "prog", "show", "name", OPEN])
        .output()
        .context("bpftool")?;
    let shown: Value = serde_json::from_slice(&output.stdout).context("bpftool's JSON")?;
    // One program or several are not shown alike.
    let programs = match shown {
        Value::Array(programs) => programs,
        one => vec![one],
    };
    let sum = |key: &str| {
        let values = programs.iter().filter_map(|program| program[key].as_f64());
        values.sum::<f64>()
    };
    Ok(Used {
        runs: sum("run_cnt"),
        nanoseconds: sum("run_time_ns"),
    })
}
