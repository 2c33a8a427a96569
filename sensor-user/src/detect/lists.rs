//! Lists that rules and the core share, kept as data under `rules/lists`.

use super::shipped;

/// The hosts that package managers fetch from, as domain suffixes: a suffix means itself and its
/// subdomains.
pub fn trusted_hosts() -> Vec<&'static str> {
    entries(shipped::text("lists/package-hosts.yml"))
}

/// Resolvers that anybody may ask, over HTTPS too: domain suffixes and addresses.
pub fn public_resolvers() -> Vec<&'static str> {
    entries(shipped::text("lists/public-resolvers.yml"))
}

/// Names of packages that very many others need, by where they are from.
#[derive(Debug, Clone, Default)]
pub struct PopularPackages {
    /// npm's.
    pub npm: Vec<&'static str>,
    /// PyPI's, normalised.
    pub pypi: Vec<&'static str>,
}

/// Packages that others would like to be mistaken for.
pub fn popular_packages() -> PopularPackages {
    let text = shipped::text("lists/popular-packages.yml");
    let of = |key: &str| -> Vec<&'static str> {
        let lines = text.lines().skip_while(|line| *line != key).skip(1);
        let lines = lines.take_while(|line| line.starts_with(' '));
        lines.flat_map(str::split_whitespace).collect()
    };
    PopularPackages {
        npm: of("npm: >-"),
        pypi: of("pypi: >-"),
    }
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

    fn is_domain(host: &str) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        host.split('.').count() >= 2 && host.chars().all(plain)
    }

    #[test]
    fn the_list_holds_bare_lower_case_domain_suffixes() {
        let hosts = trusted_hosts();
        assert!(hosts.len() >= 10);
        for host in hosts {
            assert!(is_domain(host), "{host}");
        }
    }

    #[test]
    fn public_resolvers_are_domain_suffixes_and_addresses() {
        let resolvers = public_resolvers();
        assert!(resolvers.len() >= 20);
        for resolver in resolvers {
            let is_address = resolver.parse::<std::net::IpAddr>().is_ok();
            assert!(is_address || is_domain(resolver), "{resolver}");
        }
    }
}
