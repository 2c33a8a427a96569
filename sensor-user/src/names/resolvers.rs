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
#[derive(Debug, Clone, Default)]
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
    /// What was read when a session began. The first reading holds. Where code that may have
    /// rewritten the files ran in the same lineage before, only the servers count that were known
    /// then.
    /// Whether it was one that counts.
    pub fn read(
        &mut self,
        session: ProcessKey,
        resolver: &Resolver,
        before: Option<&Configured>,
    ) -> bool {
        let registries = resolver.registries.iter().take(REGISTRIES).cloned();
        if let Some(known) = self.known.get_mut(&session) {
            // A process that starts one program after the other: an install begins with the manager.
            let first = known.registries.is_empty() && before.is_none();
            if first {
                *known = Rc::new(Configured {
                    registries: registries.collect(),
                    ..(**known).clone()
                });
            }
            return first;
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
        let configured = Configured {
            servers: servers.collect(),
            hosts,
            registries: registries.collect(),
        };
        self.known.insert(session, Rc::new(configured));
        self.order.push_back(session);
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

/// Addresses on which watched processes answer questions themselves.
#[derive(Debug, Default)]
pub struct Responders {
    known: HashSet<(u64, IpAddr)>,
}

impl Responders {
    /// A watched process listens there.
    pub fn add(&mut self, netns: u64, ip: IpAddr) {
        if self.known.len() < SESSIONS {
            self.known.insert((netns, ip.to_canonical()));
        }
    }

    /// Whether a watched process may be the one that answers there.
    pub fn may_be(&self, netns: u64, server: IpAddr) -> bool {
        let server = server.to_canonical();
        self.known.len() >= SESSIONS
            || self.known.iter().any(|(there, ip)| {
                let everywhere = ip.is_unspecified();
                (*there == netns || *there == 0 || netns == 0) && (*ip == server || everywhere)
            })
    }
}
