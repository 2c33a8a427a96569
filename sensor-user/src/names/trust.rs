//! `--trust HOST|CIDR`: peers that callbacks are expected to.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::host;

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
        } else if let Some(name) = host::from_person(given).filter(|name| !is_number(name)) {
            self.hosts.push(name);
        } else {
            return Err(BadTrust {
                given: given.to_owned(),
            });
        }
        Ok(())
    }

    /// Whether the address is one of them, whatever its name.
    pub fn holds_address(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.networks.iter().any(|network| network.contains(&ip))
    }
}

/// `10.0.0` and `300.1.1.1` are mistyped addresses.
fn is_number(name: &str) -> bool {
    name.split('.')
        .all(|label| label.bytes().all(|b| b.is_ascii_digit()))
}
