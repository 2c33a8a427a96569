//! `--trust HOST|CIDR`: peers that callbacks are expected to.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Peers whose connections raise no alert of the branch `MaliciousLibraryC2Callback`. Their class
/// stays what it is, the connections stay in the report, and a rule of another branch is still
/// asked: trusting a network must not open the metadata service or a credential store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Names; each means itself and its subdomains. No name is ever looked up: they count where a
    /// destination's name was observed.
    pub hosts: Vec<String>,
    /// Networks and single addresses.
    pub networks: Vec<IpNet>,
}

/// Neither a name nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "--trust {given}: give a host name (it means its subdomains too), an address, or a network \
     like 10.0.0.0/8"
)]
pub struct BadTrust {
    given: String,
}

impl Trust {
    /// Reads one value of `--trust`.
    pub fn add(&mut self, given: &str) -> Result<(), BadTrust> {
        if let Ok(ip) = IpAddr::from_str(given) {
            self.networks.push(ip.into());
        } else if let Ok(network) = IpNet::from_str(given) {
            self.networks.push(network);
        } else if is_host(given) {
            self.hosts.push(given.trim_matches('.').to_lowercase());
        } else {
            return Err(BadTrust {
                given: given.to_owned(),
            });
        }
        Ok(())
    }

    /// Whether the peer is one of them.
    pub fn holds(&self, ip: Option<IpAddr>, name: Option<&str>) -> bool {
        let network = ip
            .map(|ip| ip.to_canonical())
            .is_some_and(|ip| self.networks.iter().any(|network| network.contains(&ip)));
        let host = name.map(|name| name.trim_end_matches('.').to_lowercase());
        network
            || host.is_some_and(|name| {
                self.hosts.iter().any(|host| {
                    name.strip_suffix(host.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
            })
    }
}

fn is_host(name: &str) -> bool {
    let name = name.trim_matches('.');
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // `10.0.0` and `300.1.1.1` are mistyped addresses.
    let number = name
        .split('.')
        .all(|l| l.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && !number && name.split('.').all(label)
}
