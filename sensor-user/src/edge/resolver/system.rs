//! resolv.conf(5) and hosts(5).

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::path::Path;

use super::super::process::read_regular;
use crate::event::Text;

const SERVERS: usize = 32;
/// Lines of /etc/hosts; some block advertisements with a hundred thousand.
const HOSTS: usize = 1024;
const SIZE_LIMIT: u64 = 4 << 20;

/// Servers, and names that are told without asking one.
pub(super) fn read(root: &OwnedFd) -> (Vec<IpAddr>, Vec<(IpAddr, Vec<Text>)>) {
    let text = |file: &str| read_regular(root, Path::new(file), SIZE_LIMIT).unwrap_or_default();
    let resolv = text("/etc/resolv.conf");
    let hosts = text("/etc/hosts");
    (
        servers(&String::from_utf8_lossy(&resolv)),
        self::hosts(&String::from_utf8_lossy(&hosts)),
    )
}

fn servers(text: &str) -> Vec<IpAddr> {
    let mut servers: Vec<IpAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let is_server = words.next() == Some("nameserver");
            is_server.then(|| address(words.next()?)).flatten()
        })
        .take(SERVERS)
        .collect();
    if servers.is_empty() {
        // Without any, the local one is asked (resolv.conf(5)).
        servers.push(Ipv4Addr::LOCALHOST.into());
    }
    servers
}

fn hosts(text: &str) -> Vec<(IpAddr, Vec<Text>)> {
    text.lines()
        .filter_map(|line| {
            let line = line.split('#').next()?;
            let mut words = line.split_whitespace();
            let ip = address(words.next()?)?;
            let names: Vec<Text> = words.take(16).map(Text::from).collect();
            (!names.is_empty()).then_some((ip, names))
        })
        .take(HOSTS)
        .collect()
}

/// `fe80::1%eth0` too.
fn address(word: &str) -> Option<IpAddr> {
    word.split('%').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn servers_are_the_nameserver_lines_and_else_the_local_one() {
        let text = "# nameserver 9.9.9.9\nsearch example\n nameserver 127.0.0.53\t\n\
                    nameserver fe80::1%eth0\nnameserver x\n;nameserver 1.1.1.1\n";
        assert_eq!(servers(text), ips(&["127.0.0.53", "fe80::1"]));
        assert_eq!(servers("options rotate\n"), ips(&["127.0.0.1"]));
    }

    #[test]
    fn hosts_are_addresses_with_names() {
        let text = "127.0.0.1 localhost\n10.0.0.5\tpackages.corp.example packages # ours\n\
                    # 9.9.9.9 x\n10.0.0.6\nbad line\n";
        let hosts = hosts(text);
        assert_eq!(hosts.len(), 2);
        assert_eq!(hosts[1].0, ips(&["10.0.0.5"])[0]);
        assert_eq!(
            hosts[1].1,
            ["packages.corp.example".into(), "packages".into()]
        );
    }
}
