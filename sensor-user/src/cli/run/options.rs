//! What was typed, and what it means: flag, then `PKGWARDEN_*`, then configuration file, then
//! default.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use crate::cli::level;
use crate::config::{self, Config, ConfigError};
use crate::control::VARIABLE;
use crate::detect::Level;
use crate::names::{BadTrust, Trust};

/// Run a command as yourself, watch its process tree, and pass its status through
#[derive(Debug, Args)]
#[command(
    after_help = "Privileges: root needs nothing else. Members of the group pkgwarden are watched for by the \
                  running daemon; without one, `sudo -n pkgwarden sensor` is tried.\n\n\
                  Exit status: the command's own, 128+N when signal N ended it; 125 pkgwarden failed \
                  before the command started, 126 the command can't be executed, 127 there is no \
                  such command. With --fail-on: 86 findings, 87 the watch was incomplete."
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) watch: WatchArgs,

    /// Write the session report (JSON) to this file
    #[arg(long, value_name = "FILE", env = "PKGWARDEN_REPORT")]
    pub(crate) report: Option<PathBuf>,

    /// Append a summary (Markdown) to this file
    #[arg(long, value_name = "FILE", env = "PKGWARDEN_SUMMARY")]
    pub(crate) summary: Option<PathBuf>,

    /// Exit with 86 when there is an alert of this level or above, with 87 when the watch was
    /// incomplete
    #[arg(long, value_name = "LEVEL", env = "PKGWARDEN_FAIL_ON", value_parser = level)]
    pub(crate) fail_on: Option<Level>,

    /// Exit with this instead of 86
    #[arg(long, value_name = "N", env = "PKGWARDEN_EXIT_CODE")]
    pub(crate) exit_code: Option<u8>,

    /// Mark alerts in the log of a CI system
    #[arg(
        long,
        value_name = "WHERE",
        env = "PKGWARDEN_ANNOTATE",
        default_value = "auto"
    )]
    pub(crate) annotate: Annotate,

    /// After the command ends, watch descendants that still live for so many seconds
    #[arg(long, value_name = "SECS", env = "PKGWARDEN_LINGER", default_value = "2", value_parser = seconds)]
    pub(crate) linger: Duration,

    /// What to do when nothing can be watched
    #[arg(
        long,
        value_name = "WHAT",
        env = "PKGWARDEN_IF_UNAVAILABLE",
        default_value = "fail"
    )]
    pub(crate) if_unavailable: IfUnavailable,

    /// Where the daemon listens
    #[arg(long, value_name = "SOCKET", env = VARIABLE, hide = true)]
    pub(crate) control: Option<PathBuf>,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// What `run` and the daemon have in common.
#[derive(Debug, Clone, Args)]
pub(crate) struct WatchArgs {
    /// A folder of rules, added to the shipped ones (repeatable)
    #[arg(
        long,
        value_name = "DIR",
        env = "PKGWARDEN_RULES",
        value_delimiter = ':'
    )]
    pub(crate) rules: Vec<PathBuf>,

    /// A folder of filters, added to the shipped ones (repeatable)
    #[arg(
        long,
        value_name = "DIR",
        env = "PKGWARDEN_FILTERS",
        value_delimiter = ':'
    )]
    pub(crate) filters: Vec<PathBuf>,

    /// Leave the shipped rules and filters out
    #[arg(long, env = "PKGWARDEN_NO_DEFAULT_RULES", value_parser = FalseyValueParser::new())]
    pub(crate) no_default_rules: bool,

    /// A host (with its subdomains) or network that installs may talk to (repeatable)
    #[arg(
        long,
        value_name = "HOST|CIDR",
        env = "PKGWARDEN_TRUST",
        value_delimiter = ',',
        value_parser = trusted
    )]
    pub(crate) trust: Vec<String>,

    /// Leave alerts below this level out of the output [default: medium]
    #[arg(long, value_name = "LEVEL", env = "PKGWARDEN_MIN_LEVEL", value_parser = level)]
    pub(crate) min_level: Option<Level>,

    /// Read this configuration file [default: /etc/pkgwarden/config.toml]
    #[arg(long, value_name = "FILE", env = "PKGWARDEN_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Record every event to this file, for `pkgwarden replay`
    #[arg(long, value_name = "FILE", env = "PKGWARDEN_RECORD")]
    pub(crate) record: Option<PathBuf>,

    /// Write alerts to this file, one JSON object a line; `-` is standard output
    #[arg(long, value_name = "FILE", env = "PKGWARDEN_ALERTS")]
    pub(crate) alerts: Option<PathBuf>,

    /// Send alerts to journald as well
    #[arg(long, env = "PKGWARDEN_JOURNALD", value_parser = FalseyValueParser::new())]
    pub(crate) journald: bool,
}

/// Where alerts are marked for a CI system's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Annotate {
    /// Where `GITHUB_ACTIONS` is `true`.
    Auto,
    /// Always, in GitHub's form.
    Github,
    /// Never.
    Off,
}

impl Annotate {
    pub(crate) fn is_on(self, github_actions: Option<&str>) -> bool {
        match self {
            Annotate::Auto => github_actions == Some("true"),
            Annotate::Github => true,
            Annotate::Off => false,
        }
    }
}

/// What to do without a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfUnavailable {
    /// Exit with 125 and do not run the command.
    Fail,
    /// Run the command unwatched; the report says so.
    Warn,
}

/// Checks one `--trust`; it is kept as typed.
fn trusted(text: &str) -> Result<String, String> {
    match Trust::default().add(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is not a number of seconds")?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| duration.as_secs() <= 86_400)
        .ok_or_else(|| "give between 0 and 86400 seconds".into())
}

/// What was asked for does not fit together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionsError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Trust(#[from] BadTrust),
}

/// What holds once everything is put together.
#[derive(Debug, Clone)]
pub(crate) struct Watching {
    pub(crate) shipped: bool,
    pub(crate) rule_dirs: Vec<PathBuf>,
    pub(crate) filter_dirs: Vec<PathBuf>,
    pub(crate) disabled: Vec<String>,
    pub(crate) trust: Trust,
    pub(crate) min_level: Level,
    pub(crate) record: Option<PathBuf>,
    pub(crate) alerts: Option<PathBuf>,
    /// As asked for, one way or the other.
    pub(crate) journald: Option<bool>,
    pub(crate) state: config::State,
}

impl WatchArgs {
    /// Reads the configuration file and lays the flags over it.
    pub(crate) fn resolve(self) -> Result<Watching, OptionsError> {
        let config = Config::load(self.config.as_deref())?;
        Ok(self.over(config, Path::new(config::DIRECTORY))?)
    }

    fn over(self, config: Config, directory: &Path) -> Result<Watching, BadTrust> {
        let mut trust = Trust {
            hosts: Vec::new(),
            networks: config.trust.cidrs,
        };
        for given in config.trust.hosts.iter().chain(&self.trust) {
            trust.add(given)?;
        }
        let folders = |own: &str, config: Vec<PathBuf>, flags: Vec<PathBuf>| {
            let own = Some(directory.join(own)).filter(|folder| folder.is_dir());
            own.into_iter().chain(config).chain(flags).collect()
        };
        Ok(Watching {
            shipped: !self.no_default_rules,
            rule_dirs: folders("rules.d", config.rules.dirs, self.rules),
            filter_dirs: folders("filters.d", config.rules.filters, self.filters),
            disabled: config.rules.disabled,
            trust,
            min_level: self
                .min_level
                .or(config.output.min_level)
                .unwrap_or(Level::Medium),
            record: self.record,
            alerts: self.alerts.or(config.output.file),
            journald: self.journald.then_some(true).or(config.output.journald),
            state: config.state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let args = |min_level| WatchArgs {
            rules: vec!["/flag".into()],
            filters: Vec::new(),
            no_default_rules: false,
            trust: vec!["10.0.0.0/8".to_owned()],
            min_level,
            config: None,
            record: None,
            alerts: None,
            journald: false,
        };
        let mut config = Config::default();
        let nowhere = Path::new("/nonexistent");
        assert_eq!(
            args(None).over(config.clone(), nowhere).unwrap().min_level,
            Level::Medium
        );
        config.output.min_level = Some(Level::Low);
        config.rules.dirs = vec!["/file".into()];
        let watching = args(Some(Level::High))
            .over(config.clone(), nowhere)
            .unwrap();
        assert_eq!(watching.min_level, Level::High);
        assert_eq!(watching.rule_dirs, [PathBuf::from("/file"), "/flag".into()]);
        assert_eq!(watching.trust.networks.len(), 1);
        assert_eq!(
            args(None).over(config, nowhere).unwrap().min_level,
            Level::Low
        );
    }

    #[test]
    fn linger_takes_fractions_and_refuses_nonsense() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["-1", "x", "NaN", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
