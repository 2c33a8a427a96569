//! The host in an address, and nothing else of it.

use std::net::IpAddr;
use std::rc::Rc;

use super::host::from_person;

/// Host and port of `scheme://user:secret@host:port/path`, of `host:port`, or of an address in other
/// words that managers take (`name=url`, `"url"`). `None` for a path and for what has no host.
pub fn host(value: &str) -> Option<(String, Option<u16>)> {
    let value = value.trim().trim_matches(['"', '\'']);
    let rest = match value.split_once("://") {
        Some((scheme, rest)) => {
            let scheme = scheme.rsplit(['=', '+']).next()?;
            let known = ["http", "https", "socks5", "socks5h", "socks4", "socks"];
            known
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known))
                .then_some(rest)?
        }
        // A proxy may be given without a scheme; a file may not pass for one.
        None if value.contains('/') || !value.contains(':') => return None,
        None => value,
    };
    authority(rest)
}

/// The host that a package was fetched from, by its address as managers write it: of an archive, or of a
/// repository (`git+ssh://git@host/…`). `None` for a folder and a file of this machine.
pub fn origin(value: &str) -> Option<Rc<str>> {
    let (scheme, rest) = value.trim().split_once("://")?;
    let scheme = scheme.rsplit('+').next()?;
    let fetched = ["http", "https", "git", "ssh"];
    let fetched = fetched.iter().any(|one| scheme.eq_ignore_ascii_case(one));
    let (host, _) = authority(rest).filter(|_| fetched)?;
    Some(host.into())
}

fn authority(rest: &str) -> Option<(String, Option<u16>)> {
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let authority = authority.rsplit('@').next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse().ok()?),
    };
    let host = match host.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().to_string(),
        Err(_) => from_person(host)?,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_comes_from_a_host_or_from_this_machine() {
        for (value, expected) in [
            (
                "https://user:secret@npm.corp.example:8443/@a/b/-/b-1.0.0.tgz",
                Some("npm.corp.example"),
            ),
            ("http://[fd00::5]:4873/a/-/a-1.tgz", Some("fd00::5")),
            (
                "git+ssh://git@code.example/a/b.git#0f1e",
                Some("code.example"),
            ),
            ("git+https://code.example/a/b.git", Some("code.example")),
            ("file:///srv/wheels/a.whl", None),
            ("git+file:///srv/a.git", None),
            ("file:../a", None),
            ("../a", None),
            ("null", None),
        ] {
            assert_eq!(origin(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn a_host_and_its_port_are_all_that_is_taken() {
        for (value, expected) in [
            (
                "https://Packages.corp.example/npm/",
                Some(("packages.corp.example", None)),
            ),
            (
                "http://u:s%40p@10.0.0.5:4873",
                Some(("10.0.0.5", Some(4873))),
            ),
            (
                "https://u:p@ss@r.example:8443/x@y:1",
                Some(("r.example", Some(8443))),
            ),
            ("http://[fd00::5]:4873/", Some(("fd00::5", Some(4873)))),
            (
                "corp=https://pip.example/simple",
                Some(("pip.example", None)),
            ),
            ("\"https://r.example:1/\"", Some(("r.example", Some(1)))),
            ("proxy.example:3128", Some(("proxy.example", Some(3128)))),
            ("socks5h://127.0.0.1:1080", Some(("127.0.0.1", Some(1080)))),
            (
                "https://bücher.example/",
                Some(("xn--bcher-kva.example", None)),
            ),
            ("file:///srv/wheels", None),
            ("./wheels", None),
            ("/srv/x:1", None),
            ("localhost", None),
            ("https://", None),
            ("https://a b/", None),
            ("https://r.example:99999/", None),
            ("", None),
        ] {
            let found = host(value);
            let found = found.as_ref().map(|(host, port)| (host.as_str(), *port));
            assert_eq!(found, expected, "{value}");
        }
    }
}
