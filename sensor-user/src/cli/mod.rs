//! One file per verb. What is typed ends here; each verb does its work and gives an exit status.

mod alerts;
mod allow;
mod check;
mod daemon;
mod doctor;
mod explain;
mod generate;
mod launch;
mod recorded;
mod recording;
mod records;
pub mod replay;
pub mod rules;
mod run;
mod selftest;
mod sensor;
mod sessions;
mod since;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::detect::{Level, RuleSet, Sources};

/// Wrong usage (EX_USAGE of sysexits.h).
pub const USAGE: u8 = 64;
/// Not enough privileges (EX_NOPERM of sysexits.h).
pub const NO_PRIVILEGES: u8 = 77;

/// Watches package installs and raises an alert when one does what malicious packages do
#[derive(Debug, Parser)]
#[command(name = "pkgwarden", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(Box<run::RunArgs>),
    Daemon(Box<daemon::DaemonArgs>),
    Check(check::CheckArgs),
    Alerts(alerts::AlertsArgs),
    Explain(explain::Args),
    Allow(allow::AllowArgs),
    Sessions(sessions::SessionsArgs),
    Replay(replay::ReplayArgs),
    Rules(rules::RulesArgs),
    Selftest(selftest::SelftestArgs),
    Doctor(doctor::DoctorArgs),
    /// The privileged half of `run`
    #[command(hide = true)]
    Sensor,
    /// The watched command before it is the command
    #[command(hide = true)]
    Launch(launch::LaunchArgs),
    /// Man pages and completions, for the package
    #[command(hide = true)]
    Generate(generate::GenerateArgs),
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match parse(&arguments) {
        Ok(cli) => dispatch(cli.verb),
        Err(error) => {
            let asked_for = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            // Whoever asked may have gone; there is no other way to say it.
            let _ = error.print();
            match (asked_for, is_run(&arguments)) {
                (true, _) => ExitCode::SUCCESS,
                // 64 could be the command's own.
                (false, true) => ExitCode::from(125),
                (false, false) => ExitCode::from(USAGE),
            }
        }
    }
}

fn dispatch(verb: Verb) -> ExitCode {
    match verb {
        Verb::Run(args) => run::run(*args),
        Verb::Daemon(args) => daemon::daemon(*args),
        Verb::Check(args) => check::check(&args),
        Verb::Alerts(args) => alerts::alerts(&args),
        Verb::Explain(args) => explain(&args),
        Verb::Allow(args) => allow::allow(&args),
        Verb::Sessions(args) => sessions::sessions(&args),
        Verb::Replay(args) => replay::replay(&args),
        Verb::Rules(args) => rules::run(&args),
        Verb::Selftest(args) => selftest::selftest(&args),
        Verb::Doctor(args) => doctor::doctor(&args),
        Verb::Sensor => sensor::sensor(),
        Verb::Launch(args) => launch::launch(args),
        Verb::Generate(args) => generate::generate(&args),
    }
}

/// A pasted alert names a rule, and only the shipped ones are known on any machine.
fn explain(args: &explain::Args) -> ExitCode {
    let shipped = RuleSet::load(&Sources {
        shipped: true,
        ..Sources::default()
    });
    let playbook = |id: &str| {
        let mut rules = shipped.as_ref().ok()?.described();
        let rule = rules.find(|rule| rule.id == id)?;
        Some(rule.playbook.clone())
    };
    match explain::run(args, &playbook) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pkgwarden: {error}");
            error.status()
        }
    }
}

fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// The whole command line, for completions and man pages as well.
pub fn command() -> clap::Command {
    Cli::command().mut_subcommands(|verb| verb.mut_args(ignore_empty_variable))
}

/// CI systems set the variables of unused inputs to nothing: that means unset, not a mistake.
fn ignore_empty_variable(arg: Arg) -> Arg {
    let empty = arg
        .get_env()
        .and_then(std::env::var_os)
        .is_some_and(|value| value.is_empty());
    if empty { arg.env(None) } else { arg }
}

fn is_run(arguments: &[OsString]) -> bool {
    let verb = arguments
        .iter()
        .skip(1)
        .find(|argument| !argument.as_encoded_bytes().starts_with(b"-"));
    verb.is_some_and(|verb| verb == "run")
}

/// A level, for a flag's value.
fn level(text: &str) -> Result<Level, String> {
    match text {
        "informational" => Ok(Level::Informational),
        "low" => Ok(Level::Low),
        "medium" => Ok(Level::Medium),
        "high" => Ok(Level::High),
        "critical" => Ok(Level::Critical),
        _ => Err("the levels are informational, low, medium, high, critical".to_owned()),
    }
}

/// A line on standard output. That nobody reads it any more is no error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_verb_is_told_from_what_follows_it() {
        let is_run = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            super::is_run(&words)
        };
        assert!(is_run("pkgwarden run --nonsense -- doctor"));
        assert!(!is_run("pkgwarden doctor run"));
        assert!(!is_run("pkgwarden"));
    }
}
