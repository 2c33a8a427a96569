//! Every check and test, in the order that finds a mistake soonest. A step that fails does not stop
//! the next one; the last line counts, and a skip is never silent.

mod harness;
mod tally;

use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context, bail};
use clap::ValueEnum;
use nix::unistd::geteuid;
use xshell::{Shell, cmd};

use crate::{build, deny, package, tidy, vm, workspace};
pub(crate) use tally::Tally;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these steps.
    #[arg(value_enum)]
    steps: Vec<Step>,
    /// Fail on a skip that this file does not name, one test a line; in CI `.ci/allowed-skips`
    /// without being asked.
    #[arg(long, value_name = "FILE")]
    allowed_skips: Option<PathBuf>,
}

const BUILD: &str = "build";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    Fmt,
    Tidy,
    Clippy,
    Deny,
    Unit,
    Build,
    Package,
    Live,
    Vm,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Fmt => "fmt",
            Step::Tidy => "tidy",
            Step::Clippy => "clippy",
            Step::Deny => "dependencies",
            Step::Unit => "unit tests",
            Step::Build => BUILD,
            Step::Package => "package",
            Step::Live => "live tests",
            Step::Vm => "other kernels",
        }
    }
}

pub(crate) fn run(sh: &Shell, arguments: &Arguments) -> anyhow::Result<()> {
    let steps = if arguments.steps.is_empty() {
        Step::value_variants()
    } else {
        &arguments.steps
    };
    let allowed = allowed_skips(arguments)?;
    let mut tally = Tally::default();
    for step in steps {
        eprintln!("\n== {}", step.name());
        let begun = Instant::now();
        perform(sh, *step, &mut tally);
        eprintln!("== {}: {:.1} s", step.name(), begun.elapsed().as_secs_f64());
    }
    println!();
    let good = tally.report(allowed.as_deref());
    if !good {
        bail!("not everything passed");
    }
    Ok(())
}

fn perform(sh: &Shell, step: Step, tally: &mut Tally) {
    match step {
        Step::Fmt => tally.check("fmt", || {
            Ok(cmd!(sh, "cargo fmt --all --check").quiet().run()?)
        }),
        Step::Tidy => tally.check("tidy", || tidy::run(sh)),
        Step::Clippy => {
            tally.check("clippy", || {
                let clippy = cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings");
                Ok(clippy.quiet().run()?)
            });
            tally.check("clippy of the eBPF programs", || build::probe_clippy(sh));
        }
        Step::Deny => deny::check(sh, tally),
        Step::Unit => {
            let arguments = ["--workspace", "--exclude", "tests"];
            tally.add("unit tests", harness::cargo_test(&arguments));
        }
        Step::Build => tally.check(BUILD, || build::pkgwarden(sh).map(drop)),
        Step::Package | Step::Live | Step::Vm if tally.failed.iter().any(|name| name == BUILD) => {
            tally.fail(step.name(), "there is no fresh build to try");
        }
        Step::Package => tally.check("package", || package::check(sh)),
        Step::Live => {
            let mut arguments = vec!["--package", "tests"];
            let as_root = as_root();
            if !geteuid().is_root() {
                arguments.extend(["--config", as_root.as_str()]);
            }
            tally.add("live tests", harness::cargo_test(&arguments));
        }
        Step::Vm => vm::all(sh, tally),
    }
}

/// cargo's setting that starts a test binary as root with the PATH of the caller, which sudo drops.
fn as_root() -> String {
    let path = env::var("PATH").unwrap_or_default();
    let runner = serde_json::json!(["sudo", "-n", "env", format!("PATH={path}")]);
    format!("target.x86_64-unknown-linux-gnu.runner={runner}")
}

/// The names on the committed list, where one applies.
fn allowed_skips(arguments: &Arguments) -> anyhow::Result<Option<Vec<String>>> {
    let file = match &arguments.allowed_skips {
        Some(file) => file.clone(),
        None if env::var_os("CI").is_some() => workspace::root().join(".ci/allowed-skips"),
        None => return Ok(None),
    };
    let text = fs::read_to_string(&file).with_context(|| {
        format!(
            "the list of allowed skips, {}, can't be read",
            file.display()
        )
    })?;
    let names = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    Ok(Some(names.collect()))
}
