//! Who was to be asked for names where a session began, as its files said before any package's script
//! ran.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

use foldhash::{HashMap, HashSet};

use crate::event::{ProcessKey, Registry, Resolver};

use super::host;

/// How many sessions' are kept, and how much of each.
const SESSIONS: usize = 1024;
const SERVERS: usize = 32;
const HOSTS: usize = 4096;
const REGISTRIES: usize = 64;

/// What resolves names in one session.
#[derive(Debug, Default)]
pub struct Configured {
    servers: HashSet<IpAddr>,
    /// The first name of each address in /etc/hosts.
    hosts: HashMap<IpAddr, Rc<str>>,
    /// Hosts that the package manager was told to use.
    pub registries: Vec<Registry>,
}

impl Configured {
    /// Whether answers of this server count.
    pub fn asks(&self, server: IpAddr) -> bool {
        self.servers.contains(&server.to_canonical())
    }

    /// What /etc/hosts calls the address.
    pub fn label(&self, ip: IpAddr) -> Option<&Rc<str>> {
        self.hosts.get(&ip.to_canonical())
    }

    /// The registry or proxy that an address and its names are. One without a port is reached on
    /// those of HTTP.
    pub fn registry(&self, ip: IpAddr, port: u16, names: &[Rc<str>]) -> Option<&Registry> {
        let ip = ip.to_canonical();
        self.registries.iter().find(|registry| {
            let here = match registry.port {
                Some(own) => own == port,
                None => matches!(port, 80 | 443),
            };
            let own = registry.host.to_str_lossy();
            let own = match own.parse::<IpAddr>() {
                Ok(own) => own.to_canonical() == ip,
                Err(_) => names.iter().any(|name| **name == *own),
            };
            here && own
        })
    }
}

/// Of all sessions, by the process each began with.
#[derive(Debug, Default)]
pub struct Resolvers {
    known: HashMap<ProcessKey, Rc<Configured>>,
    order: VecDeque<ProcessKey>,
}

impl Resolvers {
    /// What was read when a session began. A process may start one program after the other, and the
    /// last reading holds, until code that may have rewritten the files has run in the lineage: then
    /// `before` is what was known of it, and of a new session only those servers count that are in it.
    /// Whether the reading was taken.
    pub fn read(
        &mut self,
        session: ProcessKey,
        resolver: &Resolver,
        before: Option<&Configured>,
    ) -> bool {
        let known = self.known.contains_key(&session);
        if known && before.is_some() {
            return false;
        }
        let servers = resolver.servers.iter().map(IpAddr::to_canonical);
        let servers = servers
            .filter(|server| before.is_none_or(|before| before.servers.contains(server)))
            .take(SERVERS);
        let mut hosts: HashMap<IpAddr, Rc<str>> = HashMap::default();
        for (ip, names) in resolver.hosts.iter().take(HOSTS) {
            if let Some(name) = names.first() {
                hosts
                    .entry(ip.to_canonical())
                    .or_insert_with(|| host::from_wire(name));
            }
        }
        let registries = resolver.registries.iter().take(REGISTRIES);
        let configured = Configured {
            servers: servers.collect(),
            hosts,
            registries: registries.cloned().collect(),
        };
        self.known.insert(session, Rc::new(configured));
        if !known {
            self.order.push_back(session);
        }
        if self.order.len() > SESSIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    /// Of an install, else of the lineage that it is in.
    pub fn of(&self, install: Option<ProcessKey>, root: ProcessKey) -> Option<&Rc<Configured>> {
        install
            .and_then(|install| self.known.get(&install))
            .or_else(|| self.known.get(&root))
    }
}

/// Where watched processes may answer questions themselves.
#[derive(Debug, Default)]
pub struct Responders {
    listening: HashSet<(u64, IpAddr)>,
    /// When one last sent a datagram to this host, by namespace. Who answers on a socket that is bound
    /// and not connected is seen by nothing else.
    sent: HashMap<u64, u64>,
}

impl Responders {
    /// A watched process listens there.
    pub fn listens(&mut self, netns: u64, ip: IpAddr) {
        if self.listening.len() < SESSIONS {
            self.listening.insert((netns, ip.to_canonical()));
        }
    }

    /// A watched process sends a datagram to a loopback address, and not as a question.
    pub fn answers(&mut self, netns: u64, time: u64) {
        if self.sent.len() < SESSIONS || self.sent.contains_key(&netns) {
            self.sent.insert(netns, time);
        }
    }

    /// Whether a watched process may be the one that answered there what was asked at that time.
    pub fn may_be(&self, netns: u64, server: IpAddr, asked: u64) -> bool {
        let server = server.to_canonical();
        let full = self.listening.len() >= SESSIONS || self.sent.len() >= SESSIONS;
        let sent = self.sent.get(&netns).is_some_and(|sent| *sent >= asked);
        full || (sent && server.is_loopback())
            || self.listening.iter().any(|(there, ip)| {
                let here = *there == netns || *there == 0 || netns == 0;
                here && (*ip == server || ip.is_unspecified())
            })
    }
}
