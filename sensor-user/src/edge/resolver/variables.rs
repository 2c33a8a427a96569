//! What the command line and the environment say of registries and proxies.

use std::collections::BTreeMap;

use super::Reading;
use crate::event::Text;

/// The variables of a process that are UTF-8; the last of a name counts, as libc's setenv has it.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// From `/proc/PID/environ`.
    pub(super) fn of(block: &[u8]) -> Self {
        let pairs = block.split(|&byte| byte == 0).filter_map(|pair| {
            let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Self(pairs.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// `${NAME}` replaced, as npm does in its files; `${NAME-default}` and `${NAME:-default}` as yarn.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((inside, behind)) = after.split_once('}') else {
                break;
            };
            out.push_str(before);
            let (name, default) = match inside.split_once('-') {
                Some((name, default)) => (name.trim_end_matches(':'), default),
                None => (inside.trim_end_matches('?'), ""),
            };
            out.push_str(self.get(name).unwrap_or(default));
            rest = behind;
        }
        out.push_str(rest);
        out
    }
}

/// Options that name a registry or a proxy, of all managers: none means anything else to another.
const OPTIONS: &[&str] = &[
    "--registry",
    "--proxy",
    "--https-proxy",
    "--index-url",
    "--extra-index-url",
    "--index",
    "--default-index",
    "--find-links",
    "--pypi-mirror",
];
/// The short ones of pip and uv.
const SHORT: &[&str] = &["-i", "-f"];

pub(super) fn arguments(reading: &mut Reading<'_>, args: &[Text]) {
    let mut wanted: Option<String> = None;
    for arg in args.iter().skip(1) {
        let arg = arg.to_str_lossy();
        if let Some(option) = wanted.take() {
            reading.add(&arg, &format!("argument {option}"));
            continue;
        }
        let (option, value) = match arg.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (&*arg, None),
        };
        // npm: `--@scope:registry=…`
        let scoped = option.starts_with("--@") && option.ends_with(":registry");
        if !(scoped || OPTIONS.contains(&option) || SHORT.contains(&option)) {
            continue;
        }
        match value {
            Some(value) => reading.add(value, &format!("argument {option}")),
            None => wanted = Some(option.to_owned()),
        }
    }
}

/// Their values are one address, or several with blanks between.
const VARIABLES: &[&str] = &[
    "yarn_registry",
    "yarn_npm_registry_server",
    "yarn_http_proxy",
    "yarn_https_proxy",
    "bun_config_registry",
    "pip_index_url",
    "pip_extra_index_url",
    "pip_find_links",
    "pip_proxy",
    "pipenv_pypi_mirror",
    "uv_index_url",
    "uv_extra_index_url",
    "uv_default_index",
    "uv_index",
    "uv_find_links",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

pub(super) fn environment(reading: &mut Reading<'_>) {
    let variables = reading.variables;
    for (name, value) in &variables.0 {
        let lower = name.to_ascii_lowercase();
        let option = lower
            .strip_prefix("npm_config_")
            .or_else(|| lower.strip_prefix("pnpm_config_"));
        let npm = option.is_some_and(|option| {
            matches!(option, "registry" | "proxy" | "https_proxy" | "https-proxy")
                || (option.starts_with('@') && option.ends_with(":registry"))
        });
        if npm || VARIABLES.contains(&lower.as_str()) {
            for one in value.split_whitespace() {
                reading.add(one, &format!("environment {name}"));
            }
        }
    }
}
