//! Whom the package managers of a session connected to: where a package is from, if nothing better tells.

use std::rc::Rc;

use crate::event::{Socket, Transport};
use crate::lineage::Process;
use crate::names::Suffixes;

use super::Core;
use super::act;
use super::peer::{Peer, is_manager_itself};

/// How many hosts are told apart.
const HOSTS: usize = 16;
/// DNS, and DNS over TLS.
const NAMES: [u16; 2] = [53, 853];

/// Hosts, the newest last.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    hosts: Vec<Rc<str>>,
    /// There were more.
    more: bool,
}

impl Fetched {
    fn add(&mut self, host: Rc<str>) {
        self.hosts.retain(|known| *known != host);
        if self.hosts.len() >= HOSTS {
            self.more = true;
            self.hosts.remove(0);
        }
        self.hosts.push(host);
    }

    /// The host that packages are from: where there was only one, or only such as belong together, an
    /// index and where its files lie. With a private registry beside a public one nothing is said.
    pub(super) fn from(&self, package_hosts: &Suffixes) -> Option<&Rc<str>> {
        let public = || self.hosts.iter().all(|host| package_hosts.hold(host));
        let one = self.hosts.len() == 1 || public();
        self.hosts.last().filter(|_| one && !self.more)
    }
}

impl Core {
    /// A package manager connects, which is no script of a package's.
    pub(super) fn note_fetched(&mut self, socket: &Socket, process: &Process, peer: &Peer) {
        let Some(ip) = socket.ip.filter(|_| socket.transport == Transport::Tcp) else {
            return;
        };
        if NAMES.contains(&socket.port) || !is_manager_itself(process) {
            return;
        }
        let host = peer.name.clone().unwrap_or_else(|| act::shown(ip).into());
        self.sessions
            .each_of(process, |session| session.fetched.add(Rc::clone(&host)));
    }
}
