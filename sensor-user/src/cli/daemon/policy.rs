//! What to look for and how to tell: everything that a reload reads anew, all of it or nothing.

use std::rc::Rc;
use std::time::Duration;

use super::outputs::Wanted;
use crate::cli::run::options::{OptionsError, WatchArgs, Watching};
use crate::config;
use crate::detect::{LoadErrors, Problem, RuleSet};
use crate::event::WatchSet;
use crate::names::Trust;
use crate::state::Limits;

/// As read from the command line, the configuration file and the folders of rules.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) rules: Rc<RuleSet>,
    pub(super) watch: WatchSet,
    pub(super) trust: Trust,
    pub(super) outputs: Wanted,
    pub(super) limits: Limits,
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
            outputs: Wanted {
                min_level,
                alerts,
                journald: journald.unwrap_or(true),
            },
            limits: limits(&state),
        })
    }
}

fn limits(state: &config::State) -> Limits {
    let usual = Limits::default();
    Limits {
        max_bytes: state.max_bytes.unwrap_or(usual.max_bytes),
        max_age: state.max_age.map_or(usual.max_age, Duration::from_secs),
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
