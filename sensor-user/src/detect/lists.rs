//! Lists that rules and the core share, kept as data under `rules/lists`.

use super::shipped;

/// The hosts that package managers fetch from, as domain suffixes: a suffix means itself and its
/// subdomains.
pub fn trusted_hosts() -> Vec<&'static str> {
    entries(shipped::text("lists/package-hosts.yml"))
}

/// Whether `host` is `suffix` or a subdomain of it, ignoring case and a final dot.
pub fn is_below(host: &str, suffix: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some(lead) = host.len().checked_sub(suffix.len()) else {
        return false;
    };
    host.is_char_boundary(lead)
        && host[lead..].eq_ignore_ascii_case(suffix)
        && (lead == 0 || host.as_bytes()[lead - 1] == b'.')
}

/// The items of a YAML list of plain words.
fn entries(text: &'static str) -> Vec<&'static str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .map(str::trim)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_bare_lower_case_domain_suffixes() {
        let hosts = trusted_hosts();
        assert!(hosts.len() >= 10);
        for host in hosts {
            assert!(
                host.split('.').count() >= 2
                    && host
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c)),
                "{host}"
            );
        }
    }

    #[test]
    fn a_suffix_means_itself_and_its_subdomains_only() {
        assert!(is_below("example.org", "example.org"));
        assert!(is_below("A.Example.org.", "example.org"));
        assert!(!is_below("badexample.org", "example.org"));
        assert!(!is_below("example.org.evil.test", "example.org"));
        assert!(!is_below("org", "example.org"));
    }
}
