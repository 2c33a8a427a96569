//! What is known of the other end of a connection: its name, whether one was looked up, and whether it
//! is expected.

use std::rc::Rc;

use crate::event::{DnsQuestion, Socket};
use crate::lineage::{Image, Process};
use crate::names::{self, Class};

use super::Core;
use super::act::{Object, class};

/// The other end.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer {
    /// The name to be shown.
    pub(super) name: Option<Rc<str>>,
    /// `dns`, `hosts`.
    pub(super) source: Option<&'static str>,
    pub(super) resolved: Resolved,
    /// A known package host, a registry that this install is configured for, or what `--trust` names:
    /// the rules that look at addresses and ports leave it alone.
    pub(super) trusted: bool,
    /// `--trust` names it: that silences a whole branch.
    pub(super) expected: bool,
    /// Who is asked for names, or it is not known who is.
    pub(super) resolver: bool,
}

/// Whether a name was looked up for an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Resolved {
    Yes,
    No,
    #[default]
    Unknown,
}

impl Resolved {
    /// As rules and alerts spell it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Resolved::Yes => "yes",
            Resolved::No => "no",
            Resolved::Unknown => "unknown",
        }
    }
}

impl Core {
    /// Whom an act is with.
    pub(super) fn other_end(&self, object: &Object<'_>, process: &Process, time: u64) -> Peer {
        match object {
            Object::Peer(socket) => self.peer(socket, process, time),
            Object::Question(_, question) | Object::Answer(_, question) => {
                self.asked_about(question)
            }
            _ => Peer::default(),
        }
    }

    /// The peer of a connect or a datagram, before it is made.
    pub(super) fn peer(&self, socket: &Socket, process: &Process, time: u64) -> Peer {
        let Some(ip) = socket.ip else {
            return Peer::default();
        };
        let known = self.names.look(socket.netns, ip, process.node.key, time);
        let install = process.context.install.as_ref().map(|install| install.root);
        let configured = self.resolvers.of(install, process.root);
        let label = configured.and_then(|configured| configured.label(ip));
        let resolved = match (known.names.is_empty(), known.uncertain || label.is_some()) {
            (false, _) => Resolved::Yes,
            (true, true) => Resolved::Unknown,
            // What it may have been told by files is known only where they were read.
            (true, false) if configured.is_none() || socket.netns == 0 => Resolved::Unknown,
            (true, false) if self.may_have_missed_names(process) => Resolved::Unknown,
            (true, false) => Resolved::No,
        };
        // The metadata service hands out credentials: that is not what a peer is trusted for.
        let may_be_trusted = class(socket) != Some(Class::Metadata);
        let all = |holds: &dyn Fn(&str) -> bool| {
            !known.names.is_empty() && !known.crowded && known.names.iter().all(|n| holds(n))
        };
        let own = |name: &str| self.expected.hold(name);
        let registry = configured
            .filter(|_| is_manager_itself(process))
            .and_then(|configured| configured.registry(ip, socket.port, &known.names));
        let registry = registry.is_some_and(|registry| {
            let host = registry.host.to_str_lossy();
            let is_address = host.parse::<std::net::IpAddr>().is_ok();
            is_address || all(&|name| *name == *host || own(name) || self.package_hosts.hold(name))
        });
        let expected = may_be_trusted && (self.trust.holds_address(ip) || all(&own));
        let listed = || all(&|name| own(name) || self.package_hosts.hold(name));
        let source = match (known.names.first(), label) {
            (Some(_), _) => Some("dns"),
            (None, Some(_)) => Some("hosts"),
            (None, None) => None,
        };
        let resolver = configured.is_none_or(|configured| configured.asks(ip))
            || self.public_resolvers.holds_address(ip);
        Peer {
            resolver,
            resolved,
            trusted: may_be_trusted && (expected || registry || listed()),
            expected,
            source,
            name: known.names.first().or(label).cloned(),
        }
    }

    /// The name that a question is for. `--trust` of it silences what its looks would raise.
    pub(super) fn asked_about(&self, question: &DnsQuestion) -> Peer {
        let name = names::from_wire(&question.name);
        let expected = self.expected.hold(&name);
        Peer {
            source: Some("question"),
            trusted: expected || self.package_hosts.hold(&name),
            expected,
            name: Some(name),
            resolved: Resolved::Unknown,
            resolver: false,
        }
    }

    /// Whether a process may have been told names that are not in the table.
    fn may_have_missed_names(&self, process: &Process) -> bool {
        let install = process.context.install.as_ref().map(|install| install.root);
        let key = install.unwrap_or(process.root);
        let (Some(session), Some(root)) = (self.sessions.get(key), self.sessions.get(process.root))
        else {
            return true;
        };
        let watched = self.start.hooks.iter().any(|hook| hook.starts_with("dns:"));
        !watched
            || root.late
            || root.found
            || !session.unseen.is_nothing()
            || self.names.has_gaps_since(session.began)
            || !self.completeness_of(key).complete
    }
}

/// A package manager, and neither a script that it runs nor one that was put into it.
pub(super) fn is_manager_itself(process: &Process) -> bool {
    let context = &process.context;
    let package = context.package.as_ref();
    let script = package.is_some_and(|package| !package.borrow().imported);
    let injected = |image: &Image| {
        let first = context.loading.as_deref();
        first.is_none_or(|first| image.loading.differs_from(first))
    };
    !script
        && process
            .image()
            .is_some_and(|image| image.invocation.is_some() && !injected(image))
}
