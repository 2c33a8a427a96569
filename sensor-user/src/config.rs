//! The configuration file. Nothing is ever read from the working directory: the repository may be
//! hostile.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::detect::Level;

/// Where everything of this host's configuration lies.
pub const DIRECTORY: &str = "/etc/pkgwarden";

/// Far above any honest one.
const SIZE_LIMIT: u64 = 1 << 20;

/// What the file may hold. A key that is not here is an error: a typing mistake must not switch a
/// setting off silently.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "sections are documented at their types")]
pub struct Config {
    pub output: Output,
    pub rules: Rules,
    pub trust: Trust,
    pub state: State,
}

/// `[output]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// Send alerts to journald.
    pub journald: Option<bool>,
    /// Write alerts to this file, one JSON object a line.
    pub file: Option<PathBuf>,
    /// Leave out what is below.
    pub min_level: Option<Level>,
}

/// `[rules]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Folders of rules, added to the shipped ones.
    pub dirs: Vec<PathBuf>,
    /// Folders of filters, added to the shipped ones.
    pub filters: Vec<PathBuf>,
    /// Ids of rules that raise nothing.
    pub disabled: Vec<String>,
}

/// `[trust]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trust {
    /// Domain suffixes.
    pub hosts: Vec<String>,
    /// Networks.
    pub cidrs: Vec<ipnet::IpNet>,
}

/// `[state]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// The store of the daemon stays below this.
    pub max_bytes: Option<u64>,
    /// Seconds that the daemon keeps an alert.
    pub max_age: Option<u64>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("the configuration file {} can't be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has a mistake.
    #[error("the configuration file {} has a mistake: {message}", path.display())]
    Mistake {
        /// Which.
        path: PathBuf,
        /// Where and what, as the TOML reader says it.
        message: String,
    },
}

impl Config {
    /// Reads `named`, which must exist, or else the host's own file, which need not.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let usual = Path::new(DIRECTORY).join("config.toml");
        let path = named.unwrap_or(&usual);
        match read(path) {
            Ok(text) => Self::parse(&text).map_err(|message| ConfigError::Mistake {
                path: path.to_owned(),
                message,
            }),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(source) => Err(ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(SIZE_LIMIT + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > SIZE_LIMIT {
        return Err(io::Error::other(format!(
            "it is larger than {SIZE_LIMIT} bytes"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_contract_is_read() {
        let config = Config::parse(
            "[output]\njournald = true\nfile = '/var/log/p.ndjson'\nmin_level = 'high'\n\
             [rules]\ndirs = ['/r']\nfilters = ['/f']\ndisabled = ['a']\n\
             [trust]\nhosts = ['corp.example']\ncidrs = ['10.0.0.0/8']\n\
             [state]\nmax_bytes = 1\nmax_age = 2\n",
        )
        .unwrap();
        assert_eq!(config.output.min_level, Some(Level::High));
        assert_eq!(config.trust.cidrs[0].to_string(), "10.0.0.0/8");
    }

    #[test]
    fn the_packaged_file_changes_nothing_and_every_key_in_it_is_read() {
        let packaged = include_str!("../../packaging/config.toml");
        assert_eq!(Config::parse(packaged).unwrap(), Config::default());
        let uncommented: String = packaged
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if !key.is_empty() && !key.starts_with(' ') => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config = Config::parse(&uncommented).unwrap();
        assert_eq!(config.output.min_level, Some(Level::Medium));
        assert!(config.output.journald.is_some() && config.output.file.is_some());
        let limits = crate::state::Limits::default();
        assert_eq!(config.state.max_bytes, Some(limits.max_bytes));
        assert_eq!(config.state.max_age, Some(limits.max_age.as_secs()));
        for key in ["dirs", "filters", "disabled", "hosts", "cidrs"] {
            assert!(uncommented.contains(&format!("\n{key} = ")), "{key}");
        }
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line() {
        let message = Config::parse("[output]\nmin_levl = 'high'\n").unwrap_err();
        assert!(message.contains("line 2"), "{message}");
        assert!(message.contains("min_levl"), "{message}");
        assert!(message.contains("min_level"), "{message}");
    }

    #[test]
    fn a_named_file_must_exist() {
        let error = Config::load(Some(Path::new("/nonexistent/c.toml"))).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/c.toml"), "{error}");
    }
}
