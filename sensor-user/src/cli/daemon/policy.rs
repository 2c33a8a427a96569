//! What to look for and how to tell: everything that a reload reads anew, all of it or nothing.

use std::path::PathBuf;
use std::rc::Rc;

use crate::cli::run::options::{OptionsError, WatchArgs, Watching};
use crate::config;
use crate::detect::{Level, LoadErrors, Problem, RuleSet};
use crate::event::WatchSet;
use crate::names::Trust;

/// As read from the command line, the configuration file and the folders of rules.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) rules: Rc<RuleSet>,
    pub(super) watch: WatchSet,
    pub(super) trust: Trust,
    pub(super) min_level: Level,
    /// Only standard output may be `-`.
    pub(super) alerts: Option<PathBuf>,
    pub(super) journald: bool,
    pub(super) state: config::State,
}

/// Why it can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum PolicyError {
    #[error(transparent)]
    Options(#[from] OptionsError),
    #[error("the rules have mistakes; `pkgwarden rules check` shows them as well:\n{0}")]
    Rules(LoadErrors),
    #[error(
        "the configuration disables the rule {0:?}, and there is none: `pkgwarden rules list` names all ids"
    )]
    NoSuchRule(String),
}

impl Policy {
    pub(super) fn load(args: &WatchArgs) -> Result<Self, PolicyError> {
        let watching = args.clone().resolve()?;
        let mut rules = RuleSet::load(&watching.sources()).map_err(PolicyError::Rules)?;
        let Watching {
            disabled,
            trust,
            min_level,
            alerts,
            journald,
            state,
            ..
        } = watching;
        if let Some(id) = disabled.into_iter().find(|id| !rules.disable(id)) {
            return Err(PolicyError::NoSuchRule(id));
        }
        Ok(Self {
            watch: rules.watch_set(),
            rules: Rc::new(rules),
            trust,
            min_level,
            alerts,
            journald: journald.unwrap_or(true),
            state,
        })
    }
}

impl PolicyError {
    /// One line with the first of it; all of it is in the diagnostics.
    pub(super) fn short(&self) -> String {
        let PolicyError::Rules(errors) = self else {
            return self.to_string();
        };
        let told = |problem: &Problem| {
            let Problem { file, line, .. } = problem;
            format!("{file}:{line}: {}", problem.message)
        };
        let first: Vec<String> = errors.0.iter().take(3).map(told).collect();
        let more = errors.0.len().saturating_sub(first.len());
        let more = match more {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        format!("{}{more}", first.join("; "))
    }
}
