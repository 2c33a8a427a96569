//! Where the time of a call and of a packet goes: the daemon's programs by the kernel's own clock.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::figure::{Figure, Section, Unit};
use super::stage::Stage;
use super::watcher::Watcher;
use super::{Plan, say};

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// The program that an open runs at its end.
const OPEN: &str = "open_exit";
/// The programs that a packet runs on its way out and in.
const PACKET: [&str; 2] = ["dns_egress", "dns_ingress"];
/// What a packet that is not DNS may take.
const PACKET_AIM: f64 = 100.0;

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
            "The kernel's accounting (`kernel.bpf_stats_enabled`) of the program that runs at the end of \
             an open, of all that run in a refused connect, and of those that a packet runs, here of a \
             datagram to oneself and of such a connect, both not watched. It adds its own two readings of a \
             clock to each run, some 60 ns. What a call takes longer beyond that is the kernel's way to the \
             programs: to those of a control group, and to a system call's exit tracepoint, on which every \
             system call of the machine goes while one is attached."
                .to_owned(),
        ],
        commands: vec![
            "sysctl kernel.bpf_stats_enabled=1; load connect; bpftool prog show".to_owned(),
            "load resolver  # under a package manager's name, while `load datagram` runs".to_owned(),
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
    let calls = plan.calls.to_string();
    for (what, program) in [("not watched", &stage.load), ("watched", &stage.manager)] {
        let mut open = stage.command(program);
        open.args(["load", "open", &calls]).arg(&file);
        let [used] = during([OPEN], || stage.number(&mut open).map(drop))?;
        ensure!(
            used.runs >= plan.calls as f64,
            "{OPEN} did not run at each open"
        );
        let what = format!("`{OPEN}`, an open that is {what}");
        section.figures.push(used.each(what));
    }
    let count = plan.calls / 20;
    section.figures.extend(of_a_connect(stage, count)?);
    for whom in [
        "while nobody asks for names",
        "beside a watched one who asks",
    ] {
        let asking = match whom {
            "while nobody asks for names" => None,
            _ => Some(Resolver::start(stage)?),
        };
        for (act, what) in [
            ("datagram", "a packet"),
            ("connect", "a packet of a new socket"),
        ] {
            let mut load = stage.command(&stage.load);
            load.args(["load", act, &count.to_string()]);
            let all = during(PACKET, || stage.number(&mut load).map(drop))?;
            for (program, used) in PACKET.iter().zip(&all) {
                ensure!(
                    used.runs >= count as f64,
                    "{program} did not run at each {act}"
                );
            }
            let used = all.into_iter().fold(Used::default(), |sum, one| Used {
                runs: sum.runs + one.runs,
                nanoseconds: sum.nanoseconds + one.nanoseconds,
            });
            let what = format!("`dns_egress` and `dns_ingress`, {what} {whom}");
            section.figures.push(used.each(what).at_most(PACKET_AIM));
        }
        drop(asking);
    }
    drop(watching);
    Ok(section)
}

/// All that a refused connect runs which is not watched: what it takes longer beyond that is the kernel's.
fn of_a_connect(stage: &Stage, count: u64) -> anyhow::Result<Vec<Figure>> {
    let mut load = stage.command(&stage.load);
    load.args(["load", "connect", &count.to_string()]);
    let before = all_used()?;
    stage.number(&mut load)?;
    let mut figures = Vec::new();
    let mut sum = 0.0;
    for (program, after) in all_used()? {
        let earlier = before.get(&program).copied().unwrap_or_default();
        let used = after.since(earlier);
        // What else the machine does is not every call's.
        if used.runs < count as f64 {
            continue;
        }
        sum += used.nanoseconds / count as f64;
        let times = (used.runs / count as f64).round();
        let what = format!("`{program}`, {times} × in a refused connect that is not watched");
        figures.push(used.each(what));
    }
    let what = "all programs of a refused connect that is not watched".to_owned();
    figures.push(Figure::one(what, Unit::Nanoseconds, sum));
    Ok(figures)
}

impl Used {
    fn since(self, earlier: Self) -> Self {
        Self {
            runs: self.runs - earlier.runs,
            nanoseconds: self.nanoseconds - earlier.nanoseconds,
        }
    }

    fn each(self, what: String) -> Figure {
        Figure::one(what, Unit::Nanoseconds, self.nanoseconds / self.runs)
    }
}

/// A watched process with a socket that asks for names.
struct Resolver(Child);

impl Resolver {
    fn start(stage: &Stage) -> anyhow::Result<Self> {
        let mut child = stage
            .command(&stage.manager)
            .args(["load", "resolver"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut word = [0];
        let said = child.stdout.as_mut().context("its output")?;
        said.read_exact(&mut word)
            .context("`load resolver` has no socket")?;
        Ok(Self(child))
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the programs of these names use while that is done.
fn during<const N: usize>(
    programs: [&str; N],
    act: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<[Used; N]> {
    let before = all_used()?;
    act()?;
    let after = all_used()?;
    Ok(programs.map(|program| {
        let of = |all: &BTreeMap<String, Used>| all.get(program).copied().unwrap_or_default();
        of(&after).since(of(&before))
    }))
}

/// By name: one that is loaded several times is counted together.
fn all_used() -> anyhow::Result<BTreeMap<String, Used>> {
    let output = Command::new("bpftool")
        .args(["--json", "prog", "show"])
        .output()
        .context("bpftool")?;
    let programs: Vec<Value> = serde_json::from_slice(&output.stdout).context("bpftool's JSON")?;
    let mut all = BTreeMap::<String, Used>::new();
    for program in &programs {
        let (Some(name), Some(runs)) = (program["name"].as_str(), program["run_cnt"].as_f64())
        else {
            continue;
        };
        let used = all.entry(name.to_owned()).or_default();
        used.runs += runs;
        used.nanoseconds += program["run_time_ns"].as_f64().unwrap_or_default();
    }
    Ok(all)
}
