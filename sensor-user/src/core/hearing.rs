//! What processes ask for and are told: DNS, and what may tell them names unseen.

use crate::event::{Actor, Dns, ProcessKey, Resolver, Socket, Transport};
use crate::lineage::Process;
use crate::names::{self, Question};

use super::{Core, connections};

impl Core {
    /// A DNS message. Whether it is a question or answers one that was asked.
    pub(super) fn hear(&mut self, actor: &Actor, dns: &Dns, time: u64) -> bool {
        let Some(question) = Question::of(dns) else {
            return false;
        };
        if dns.message.response {
            return self.answered(dns, &question, time);
        }
        let process = self.lineage.acting(actor, time).clone();
        if dns.transport == Transport::Tcp {
            // An answer that takes several segments is not seen.
            self.sessions.each_of(&process, |session| {
                session.unseen.awaits(question.subject());
            });
        }
        if self.questions.ask(question, actor.process, time) {
            self.names.forgot(time);
        }
        true
    }

    fn answered(&mut self, dns: &Dns, question: &Question, time: u64) -> bool {
        let Some((asker, asked)) = self.questions.answered(question, time) else {
            return false;
        };
        let Some(process) = self.lineage.get(asker).cloned() else {
            self.names.forgot(time);
            return true;
        };
        let subject = question.subject();
        self.sessions.each_of(&process, |session| {
            match dns.message.truncated {
                true => session.unseen.awaits(subject.clone()),
                false => session.unseen.has(&subject),
            };
        });
        let own = self.responders.may_be(dns.netns, dns.server.ip(), asked);
        if dns.message.code != 0 || own {
            return true;
        }
        let counts = self.counts(dns, &process);
        for (ip, ttl) in names::addresses(&question.name, &dns.message.answers) {
            match counts {
                true => self
                    .names
                    .learn((dns.netns, ip), &question.name, ttl, asker, time),
                false => self.names.doubt(dns.netns, ip, time),
            }
        }
        true
    }

    /// Whether an answer to this process is one to rely on: from a server that its files named before
    /// any script ran, and not one that it may have made itself.
    fn counts(&self, dns: &Dns, process: &Process) -> bool {
        let install = process.context.install.as_ref().map(|install| install.root);
        let session = self.sessions.get(install.unwrap_or(process.root));
        let configured = self.resolvers.of(install, process.root);
        dns.server.port() == DNS
            && configured.is_some_and(|configured| configured.asks(dns.server.ip()))
            && session.is_some_and(|session| !session.unseen.forges)
    }

    /// Code of a package runs: what a session reads from here on may be of its making.
    pub(super) fn scripted(&mut self, process: &Process) {
        let Some(package) = process.context.package.as_ref() else {
            return;
        };
        if package.borrow().imported {
            return;
        }
        self.sessions
            .each_of(process, |session| session.scripted = true);
        let install = process.context.install.as_ref().map(|install| install.root);
        let session = self.sessions.get(install.unwrap_or(process.root));
        let host = session.and_then(|session| session.fetched.from(&self.package_hosts));
        package.borrow_mut().fetched_from(host);
    }

    /// A process can send packets in anybody's name: what its session is told may be its own.
    pub(super) fn may_forge(&mut self, actor: &Actor, time: u64) {
        let process = self.lineage.acting(actor, time).clone();
        self.sessions
            .each_of(&process, |session| session.unseen.forges = true);
    }

    /// A watched process listens.
    pub(super) fn listens(&mut self, socket: &Socket) {
        if let Some(ip) = socket.ip
            && socket.port == DNS
        {
            self.responders.listens(socket.netns, ip);
        }
    }

    /// What resolves names where a process runs, if a session begins with it.
    pub(super) fn resolver_read(&mut self, about: ProcessKey, resolver: &Resolver, time: u64) {
        let Some(process) = self.lineage.get(about) else {
            return;
        };
        let install = process.context.install.as_ref().map(|install| install.root);
        if install != Some(about) && process.root != about {
            return;
        }
        // A script that ran in this lineage before may have rewritten the files.
        let tainted = self.sessions.get(process.root).is_some_and(|s| s.scripted);
        let earlier = self.resolvers.of(None, process.root);
        let before = tainted.then(|| earlier.cloned().unwrap_or_default());
        let registries = &resolver.registries;
        if self.resolvers.read(about, resolver, before.as_deref()) && !registries.is_empty() {
            self.of_process(about, time, |tally| tally.configured(registries));
        }
    }

    /// A process connects, or sends, to where it may be told names.
    pub(super) fn note_resolver(&mut self, actor: &Actor, socket: &Socket, waits: bool, time: u64) {
        let names = match socket.ip {
            Some(ip) => self.names.look(socket.netns, ip, actor.process, time).names,
            None => Vec::new(),
        };
        let told = names::may_resolve(socket, &names, &self.public_resolvers);
        let process = self.lineage.acting(actor, time).clone();
        self.sessions.each_of(&process, |session| {
            let unseen = &mut session.unseen;
            match waits {
                true => unseen.connects(actor.process, actor.tid, socket.cookie, told),
                false if told => unseen.told(),
                false => {}
            }
        });
        if socket.transport == Transport::Udp
            && socket.port != DNS
            && socket.ip.is_some_and(|ip| ip.to_canonical().is_loopback())
        {
            self.responders.answers(socket.netns, time);
        }
    }

    /// How a connect ended.
    pub(super) fn connect_ended(&mut self, actor: &Actor, cookie: u64, errno: i32) {
        let Some(process) = self.lineage.get(actor.process) else {
            return;
        };
        let failed = connections::failed(errno);
        self.sessions.each_of(process, |session| {
            let unseen = &mut session.unseen;
            unseen.connected(actor.process, actor.tid, cookie, failed);
        });
    }
}

const DNS: u16 = 53;
