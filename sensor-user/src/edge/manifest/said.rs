//! Name and version out of the bytes of a manifest, which hostile code wrote.

use serde::Deserialize;

/// npm stops at 214; PyPI's longest are shorter.
const NAME_LIMIT: usize = 256;

/// A name that can be shown, and perhaps a version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) name: String,
    pub(super) version: Option<String>,
}

impl Said {
    fn new(name: Option<&str>, version: Option<&str>) -> Option<Self> {
        let sane = |text: &str| {
            let text = text.trim();
            (!text.is_empty() && text.len() <= NAME_LIMIT && !text.contains(char::is_control))
                .then(|| text.to_owned())
        };
        Some(Self {
            name: sane(name?)?,
            version: version.and_then(sane),
        })
    }
}

pub(super) fn package_json(bytes: &[u8]) -> Option<Said> {
    #[derive(Deserialize)]
    struct Package {
        name: Option<String>,
        // `version` need not be a string in a package that is never published.
        version: Option<serde_json::Value>,
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let package: Package = serde_json::from_slice(bytes).ok()?;
    let version = package.version.as_ref().and_then(serde_json::Value::as_str);
    Said::new(package.name.as_deref(), version)
}

/// The e-mail-like headers of core metadata, up to the first empty line.
pub(super) fn headers(bytes: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(bytes);
    let value = |wanted: &str| {
        text.lines()
            .take_while(|line| !line.trim().is_empty())
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    Said::new(value("name"), value("version"))
}

pub(super) fn pyproject(bytes: &[u8]) -> Option<Said> {
    let table: toml::Table = toml::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    let project = table.get("project");
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    [project, poetry]
        .into_iter()
        .flatten()
        .find_map(|section| Said::new(string(section, "name"), string(section, "version")))
}

fn string<'v>(section: &'v toml::Value, key: &str) -> Option<&'v str> {
    section.get(key)?.as_str()
}

pub(super) fn setup_cfg(bytes: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(bytes);
    let metadata: Vec<(&str, &str)> = text
        .lines()
        .skip_while(|line| line.trim() != "[metadata]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .collect();
    let value = |wanted: &str| {
        metadata
            .iter()
            .find(|(key, _)| key.trim() == wanted)
            .map(|&(_, value)| value)
    };
    Said::new(value("name"), value("version"))
}

/// What the call of `setup` is given as a literal; a name that is computed is not known.
pub(super) fn setup_py(bytes: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(bytes);
    let (_, call) = text.split_once("setup(")?;
    Said::new(literal(call, "name"), literal(call, "version"))
}

/// The string that a keyword argument is.
fn literal<'t>(call: &'t str, keyword: &str) -> Option<&'t str> {
    call.match_indices(keyword).find_map(|(at, _)| {
        let before = call[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            return None;
        }
        let value = call[at + keyword.len()..].trim_start().strip_prefix('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split(quote).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, version: Option<&str>) -> Option<Said> {
        Some(Said {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }

    #[test]
    fn each_kind_of_manifest_gives_name_and_version() {
        assert_eq!(
            package_json(br#"{"name":"@a/b","version":"1.2.3","scripts":{}}"#),
            said("@a/b", Some("1.2.3"))
        );
        assert_eq!(
            headers(b"Metadata-Version: 2.1\nName: left-pad\nVersion: 0.1\n\nName: other\n"),
            said("left-pad", Some("0.1"))
        );
        assert_eq!(
            pyproject(b"[build-system]\nrequires=[]\n[project]\nname='p'\nversion='2'\n"),
            said("p", Some("2"))
        );
        assert_eq!(
            setup_cfg(b"[options]\nname = no\n[metadata]\nname = yes\nversion = 3\n[x]\n"),
            said("yes", Some("3"))
        );
    }

    #[test]
    fn a_setup_script_says_what_it_is_called_where_that_is_a_literal() {
        assert_eq!(
            setup_py(b"from setuptools import setup\nsetup(filename='no', name = \"a-b\",\n  version='1.0', x=1)"),
            said("a-b", Some("1.0"))
        );
        assert_eq!(
            setup_py(b"setup(name='a', version=read('VERSION'))"),
            said("a", None)
        );
        for unknown in [
            "setup(name=NAME)",
            "setup()",
            "name='a'",
            "setup(name=='a')",
            "setup(name=\"\")",
        ] {
            assert_eq!(setup_py(unknown.as_bytes()), None, "{unknown}");
        }
    }

    #[test]
    fn a_manifest_that_says_nothing_usable_gives_nothing() {
        assert_eq!(package_json(b"{\"version\":\"1\"}"), None);
        assert_eq!(package_json(b"{\"name\":\"a\\u001b[31m\"}"), None);
        assert_eq!(package_json("[".repeat(100_000).as_bytes()), None);
        let long = format!("{{\"name\":\"{}\"}}", "a".repeat(NAME_LIMIT + 1));
        assert_eq!(package_json(long.as_bytes()), None);
        assert_eq!(pyproject(b"[build-system]\nrequires=[]\n"), None);
        assert_eq!(
            package_json(b"{\"name\":\"a\",\"version\":1}"),
            said("a", None)
        );
    }
}
