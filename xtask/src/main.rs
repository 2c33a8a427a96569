//! `cargo xtask`: everything a developer or CI does with pkgwarden, one file a task.
//!
//! A task prints what it runs, stops with one sentence when it can't go on, and is safe to repeat.
//! Nothing is installed into the system from here but by `xtask/bootstrap.sh`.

mod bench;
mod build;
mod deny;
mod package;
mod run;
mod setup;
mod test;
mod tidy;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xshell::Shell;

#[derive(Parser)]
#[command(name = "cargo xtask", about, long_about = None)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building and testing need: Debian packages, bpf-linker.
    Setup(setup::Arguments),
    /// Build target/release/pkgwarden, with the eBPF programs and the shipped rules in it.
    Build,
    /// Make target/debian/*.deb of what `build` made.
    Package(package::Arguments),
    /// Build pkgwarden and run it with these arguments, `cargo xtask run doctor`.
    Run(run::Arguments),
    /// Run every check and test, or only the steps named; the last line counts them.
    Test(test::Arguments),
    /// Check what the compiler doesn't: file lengths, SAFETY comments, words that don't belong.
    Tidy,
    /// Measure what watching costs, beside auditd and bpftrace, into docs/benchmarks.md.
    Bench(bench::Arguments),
    /// Boot other kernels and watch one small scenario on each.
    Vm(vm::Arguments),
}

fn main() -> ExitCode {
    match perform(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence, also where RUST_BACKTRACE is set: the trace is only ever xtask's own.
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: Arguments) -> anyhow::Result<()> {
    let sh = Shell::new()?;
    // `run` is about the caller's folder; every other task is about this workspace.
    if !matches!(arguments.task, Task::Run(_)) {
        sh.change_dir(workspace::root());
    }
    match arguments.task {
        Task::Setup(arguments) => setup::run(&sh, &arguments),
        Task::Bench(arguments) => bench::run(&sh, &arguments),
        Task::Build => build::pkgwarden(&sh).map(drop),
        Task::Package(arguments) => package::run(&sh, &arguments),
        Task::Run(arguments) => run::run(&sh, &arguments),
        Task::Test(arguments) => test::run(&sh, &arguments),
        Task::Tidy => tidy::run(&sh),
        Task::Vm(arguments) => vm::run(&sh, &arguments),
    }
}
