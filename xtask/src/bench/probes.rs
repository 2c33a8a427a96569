//! Where the time of a call and of a packet goes: the daemon's programs by the kernel's own clock.

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
             an open, and of those that a packet runs, here of a datagram to oneself and of a refused \
             connect, both not watched. It adds its own two readings of a clock to each run. What a call takes longer \
             beyond that is the kernel's way to a system call's exit tracepoint, on which every system \
             call of the machine goes while one is attached."
                .to_owned(),
        ],
        commands: vec![
            "sysctl kernel.bpf_stats_enabled=1; bpftool prog show name open_exit".to_owned(),
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

impl Used {
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
    let before = programs.map(used);
    act()?;
    let after = programs.map(used);
    let mut all = [Used::default(); N];
    for ((all, before), after) in all.iter_mut().zip(before).zip(after) {
        let (before, after) = (before?, after?);
        *all = Used {
            runs: after.runs - before.runs,
            nanoseconds: after.nanoseconds - before.nanoseconds,
        };
    }
    Ok(all)
}

fn used(program: &str) -> anyhow::Result<Used> {
    let output = Command::new("bpftool")
        .args(["--json", "prog", "show", "name", program])
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
