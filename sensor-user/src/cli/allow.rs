//! `pkgwarden allow ALERT-ID|FILE|-`: the narrowest filter that silences an alert, with a proof that
//! it silences nothing else that is known to be an attack. Needs no privileges, writes no file.

mod filter;
mod proof;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::explain::{self, ExplainError};
use super::records::StateArgs;
use super::rules::SourceArgs;
use crate::alert::escape::terminal;
use crate::alert::paste::Pasted;
use crate::alert::schema::Alert;
use crate::detect::{LoadErrors, RuleSet};
use filter::Narrow;
use proof::Proof;

/// Print the narrowest filter for an alert, and prove that every known attack still raises its own
#[derive(Debug, Args)]
pub(super) struct AllowArgs {
    /// The id of a recorded alert, or its first six characters or more; a file with the alert as
    /// JSON; `-` reads standard input
    #[arg(value_name = "ALERT-ID|FILE|-")]
    what: PathBuf,
    /// Prove it on this capture too: what `--record` wrote when the alert was raised
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    #[command(flatten)]
    rules: SourceArgs,
    #[command(flatten)]
    state: StateArgs,
}

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
enum AllowError {
    #[error(transparent)]
    Input(#[from] ExplainError),
    #[error("{0} alerts were given: a filter is made for one; pick it by its id")]
    Several(usize),
    #[error("a health record is about the sensor: there is no rule to filter")]
    Health,
    #[error("{0}")]
    Rules(LoadErrors),
    #[error(
        "the rule {id} ({title}) is not among the rules loaded here: name its folder with --rules"
    )]
    NoRule { id: String, title: String },
    #[error(
        "the rule `{0}` does not match what the alert tells; it was changed since, or the alert was \
         cut: take the filter from a newer alert"
    )]
    NoMatch(String),
    #[error("the filter {0} silences this alert already")]
    Silenced(String),
    #[error("the alert was too large and its {0} was cut: no filter on it would fit the event")]
    Cut(&'static str),
    #[error("{0}")]
    Capture(String),
    #[error("the filter would not do: {0}")]
    Fails(String),
}

/// 0 when the filter is printed and proved, otherwise 1 with nothing on standard output.
pub(super) fn allow(args: &AllowArgs) -> ExitCode {
    match run(args) {
        Ok((filter, sentences)) => {
            super::print(&filter);
            for sentence in sentences {
                eprintln!("pkgwarden: {sentence}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pkgwarden: {}", terminal(&error.to_string()));
            match error {
                AllowError::Input(error) => error.status(),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(args: &AllowArgs) -> Result<(String, Vec<String>), AllowError> {
    let mut found = explain::named(&args.what, &args.state)?;
    let count = found.len();
    match (found.pop(), count) {
        (Some(Pasted::Alert(alert)), 1) => allowed(&alert, args),
        (Some(Pasted::Health(_)), 1) => Err(AllowError::Health),
        _ => Err(AllowError::Several(count)),
    }
}

/// The filter, and what was proved of it.
fn allowed(alert: &Alert, args: &AllowArgs) -> Result<(String, Vec<String>), AllowError> {
    let sources = args.rules.sources();
    let before = RuleSet::load(&sources).map_err(AllowError::Rules)?;
    let narrow = Narrow::new(alert, &before)?;
    let text = narrow.text();
    let more = [("the new filter".to_owned(), text.clone())];
    let after = RuleSet::load_with(&sources, &more).map_err(AllowError::Rules)?;
    let proof = Proof {
        alert,
        narrow: &narrow,
        before,
        after,
    };
    let sentences = proof.sentences(args.capture.as_deref())?;
    Ok((text, sentences))
}

#[cfg(test)]
mod tests;
