//! Ways to a name that no DNS message shows: from then on that no name is known of an address does not
//! mean that none was looked up.

use std::net::IpAddr;
use std::rc::Rc;

use foldhash::HashSet;

use crate::event::{ProcessKey, Socket, Transport};

use super::Suffixes;

/// How many connects may wait for their result, and how many answers to be told whole. With more a
/// session is taken to have been told names unseen.
const MOST: usize = 256;

/// Sockets of services that look names up for others: nscd, systemd-resolved (by itself and over the
/// bus), sssd, avahi. By their ends: `/run` and `/var/run` are one.
const SERVICES: &[&str] = &[
    "/nscd/socket",
    "/io.systemd.Resolve",
    "/dbus/system_bus_socket",
    "/sss/pipes/nss",
    "/avahi-daemon/socket",
];

/// Public resolvers, as data.
#[derive(Debug, Default)]
pub struct PublicResolvers {
    names: Suffixes,
    addresses: HashSet<IpAddr>,
}

impl FromIterator<&'static str> for PublicResolvers {
    fn from_iter<I: IntoIterator<Item = &'static str>>(entries: I) -> Self {
        let (mut names, mut addresses) = (Vec::new(), HashSet::default());
        for entry in entries {
            match entry.parse() {
                Ok(ip) => _ = addresses.insert(ip),
                Err(_) => names.push(entry),
            }
        }
        Self {
            names: names.into_iter().collect(),
            addresses,
        }
    }
}

impl PublicResolvers {
    /// Whether one of them is known by this address.
    pub fn holds_address(&self, ip: IpAddr) -> bool {
        self.addresses.contains(&ip.to_canonical())
    }
}

/// Whether names may be asked for there, unseen. `names` are those of the address. DNS over HTTPS looks
/// like any other HTTPS: it is spoken with a known public resolver, or with an address that no name
/// was needed for.
pub fn may_resolve(socket: &Socket, names: &[Rc<str>], public: &PublicResolvers) -> bool {
    if let Some(path) = &socket.path {
        let path = path.to_str_lossy();
        // A relative path may be one of them.
        return SERVICES
            .iter()
            .any(|service| path.ends_with(service) || path == service[1..]);
    }
    let Some(ip) = socket.ip else {
        return false;
    };
    match socket.port {
        // DNS over TLS and over QUIC.
        853 => true,
        // Names of the local network, asked of everybody.
        5353 | 5355 => socket.transport == Transport::Udp,
        443 => {
            names.is_empty()
                || public.holds_address(ip)
                || names.iter().any(|name| public.names.hold(name))
        }
        _ => false,
    }
}

#[derive(Debug)]
struct Waiting {
    process: ProcessKey,
    /// As long as its call has not ended.
    thread: Option<u32>,
    /// 0 where unknown.
    cookie: u64,
}

/// What one session did that may have told it names unseen.
#[derive(Debug, Default)]
pub struct Unseen {
    certain: bool,
    /// It can make up answers: a raw socket sends packets in anybody's name.
    pub forges: bool,
    /// Connects whose result is not known.
    waiting: Vec<Waiting>,
    /// What was asked and whose answer was not seen whole.
    unfinished: HashSet<(Rc<str>, u16)>,
}

impl Unseen {
    /// It may have been told names, whatever comes.
    pub fn told(&mut self) {
        self.certain = true;
        self.waiting.clear();
        self.unfinished.clear();
    }

    /// A thread connects; `told` if to where names may be asked for.
    pub fn connects(&mut self, process: ProcessKey, thread: u32, cookie: u64, told: bool) {
        for earlier in &mut self.waiting {
            if (earlier.process, earlier.thread) == (process, Some(thread)) {
                earlier.thread = None;
            }
        }
        if self.certain || !told {
            return;
        }
        self.waiting.push(Waiting {
            process,
            thread: Some(thread),
            cookie,
        });
        if self.waiting.len() > MOST {
            self.told();
        }
    }

    /// How a connect ended: of the socket with this cookie, or without one of the connect that the thread
    /// made last. `failed` is `None` where that is not decided.
    pub fn connected(
        &mut self,
        process: ProcessKey,
        thread: u32,
        cookie: u64,
        failed: Option<bool>,
    ) {
        let found = self.waiting.iter().position(|connect| match cookie {
            0 => (connect.process, connect.thread) == (process, Some(thread)),
            _ => connect.cookie == cookie,
        });
        let Some(at) = found else {
            return;
        };
        match failed {
            Some(true) => _ = self.waiting.swap_remove(at),
            // Its socket will tell.
            None if self.waiting[at].cookie != 0 => self.waiting[at].thread = None,
            None | Some(false) => self.told(),
        }
    }

    /// An answer is to come that may not be seen whole.
    pub fn awaits(&mut self, subject: (Rc<str>, u16)) {
        if self.certain {
            return;
        }
        self.unfinished.insert(subject);
        if self.unfinished.len() > MOST {
            self.told();
        }
    }

    /// An answer was seen whole.
    pub fn has(&mut self, subject: &(Rc<str>, u16)) {
        self.unfinished.remove(subject);
    }

    /// Nothing was missed of what it was told.
    pub fn is_nothing(&self) -> bool {
        !self.certain && self.waiting.is_empty() && self.unfinished.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Observed;

    fn socket(transport: Transport, to: &str) -> Socket {
        let address: Option<std::net::SocketAddr> = to.parse().ok();
        Socket {
            transport,
            ip: address.map(|address| address.ip()),
            port: address.map_or(0, |address| address.port()),
            path: address.is_none().then(|| to.into()),
            cookie: 0,
            netns: 0,
            observed: Observed::Kernel,
        }
    }

    #[test]
    fn ways_to_a_name_that_no_dns_message_shows() {
        let public: PublicResolvers = ["dns.example", "9.9.9.9"].into_iter().collect();
        let named: &[Rc<str>] = &["shop.example".into()];
        let doh: &[Rc<str>] = &["v4.dns.example".into()];
        for (transport, to, names, expected) in [
            (Transport::Unix, "/run/nscd/socket", named, true),
            (Transport::Unix, "/var/run/nscd/socket", named, true),
            (
                Transport::Unix,
                "/run/systemd/resolve/io.systemd.Resolve",
                named,
                true,
            ),
            (Transport::Unix, "io.systemd.Resolve", named, true),
            (Transport::Unix, "/run/docker.sock", named, false),
            (Transport::Tcp, "8.8.8.8:853", named, true),
            (Transport::Udp, "8.8.8.8:853", named, true),
            (Transport::Udp, "224.0.0.251:5353", named, true),
            (Transport::Tcp, "10.0.0.1:5353", named, false),
            (Transport::Tcp, "45.33.32.156:443", &[], true),
            (Transport::Tcp, "45.33.32.156:443", named, false),
            (Transport::Udp, "45.33.32.156:443", doh, true),
            (Transport::Tcp, "9.9.9.9:443", named, true),
            (Transport::Tcp, "9.9.9.9:8443", &[], false),
            (Transport::Udp, "9.9.9.9:53", &[], false),
        ] {
            let socket = socket(transport, to);
            assert_eq!(may_resolve(&socket, names, &public), expected, "{to}");
        }
    }

    #[test]
    fn a_connect_that_failed_told_nothing() {
        let process = ProcessKey { pid: 1, start: 1 };
        let after = |results: &[(u32, u64, Option<bool>)]| {
            let mut unseen = Unseen::default();
            unseen.connects(process, 1, 9, true);
            for (thread, cookie, failed) in results {
                unseen.connected(process, *thread, *cookie, *failed);
            }
            unseen.is_nothing()
        };
        assert!(!after(&[]));
        assert!(after(&[(1, 0, Some(true))]));
        assert!(!after(&[(2, 0, Some(true))]));
        assert!(!after(&[(1, 0, Some(false))]));
        // One that does not block: its socket tells.
        assert!(!after(&[(1, 0, None)]));
        assert!(after(&[(1, 0, None), (1, 9, Some(true))]));
        assert!(!after(&[(1, 0, None), (1, 9, Some(false))]));
    }

    #[test]
    fn the_failure_of_a_later_connect_is_not_that_of_one_that_is_under_way() {
        let process = ProcessKey { pid: 1, start: 1 };
        let mut unseen = Unseen::default();
        unseen.connects(process, 1, 9, true);
        unseen.connects(process, 1, 10, false);
        unseen.connected(process, 1, 0, Some(true));
        assert!(!unseen.is_nothing());
    }

    #[test]
    fn an_answer_that_comes_whole_makes_up_for_one_that_did_not() {
        let mut unseen = Unseen::default();
        unseen.awaits(("a.example".into(), 1));
        assert!(!unseen.is_nothing());
        unseen.has(&("a.example".into(), 1));
        assert!(unseen.is_nothing());
        for n in 0..=MOST {
            unseen.awaits((n.to_string().into(), 1));
        }
        assert!(!unseen.is_nothing() && unseen.unfinished.is_empty());
    }
}
