//! Names of trusted package hosts, which belong into the one list and nowhere else.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::Finding;

/// Where the lists are, under the workspace's root.
pub(super) const FOLDER: &str = "rules/lists";

/// The domain suffixes on the trusted-host lists; none as long as there is no such list.
pub(super) fn trusted(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join(FOLDER);
    let mut hosts = Vec::new();
    if !folder.exists() {
        return Ok(hosts);
    }
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if !path.to_string_lossy().contains("host") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        hosts.extend(text.lines().filter_map(suffix));
    }
    Ok(hosts)
}

/// The domain on a list's line, `- packages.test  # why`.
fn suffix(line: &str) -> Option<String> {
    let entry = line.split('#').next().unwrap_or_default();
    let domain = entry.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let one_word = !domain.contains(char::is_whitespace) && domain.contains('.');
    one_word.then(|| domain.to_ascii_lowercase())
}

pub(super) fn named(text: &str, hosts: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.to_ascii_lowercase();
        if let Some(host) = hosts.iter().find(|host| names(&line, host)) {
            let message = format!("names a package host ({host}): only {FOLDER} may");
            findings.push(Finding::new(index + 1, message));
        }
    }
    findings
}

/// Whether the domain, or a name below it, stands in the line.
fn names(line: &str, host: &str) -> bool {
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    line.match_indices(host).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + host.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::{named, names, suffix};

    #[test]
    fn a_host_is_found_alone_and_as_a_suffix_but_not_inside_a_word() {
        assert!(names("see https://files.packages.test/x", "packages.test"));
        assert!(names("packages.test", "packages.test"));
        assert!(!names("mypackages.test", "packages.test"));
        assert!(!names("packages.testing", "packages.test"));
    }

    #[test]
    fn the_line_is_told() {
        let findings = named("a\nb Packages.test\n", &["packages.test".to_owned()]);
        assert_eq!(findings[0].line, 2);
    }

    #[test]
    fn a_list_holds_comments_and_one_domain_a_line() {
        assert_eq!(suffix("# the index of packages.test"), None);
        assert_eq!(suffix(""), None);
        let host = Some("packages.test".to_owned());
        assert_eq!(suffix("packages.test"), host);
        assert_eq!(suffix("- \"packages.test\"  # files"), host);
    }
}
