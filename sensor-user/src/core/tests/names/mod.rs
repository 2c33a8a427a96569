//! Names of destinations: what counts as an answer, what an attacker makes up, and what is not known.

mod channel;
mod fetched;
mod forged;
mod registries;
mod results;
mod trusted;
mod unknown;

use std::net::IpAddr;

use super::{play, play_with};
use crate::alert::schema::Alert;
use crate::detect::lists;
use crate::event::stage::Stage;
use crate::event::{
    Body, Dns, DnsAnswer, DnsData, DnsMessage, DnsQuestion, Observed, ProcessKey, Registry,
    Resolver, Socket, Transport,
};

const APP: &str = "/home/dev/app";
const NETNS: u64 = 4026531840;
const SERVER: &str = "10.0.0.2:53";
const ADDRESS: &str = "45.33.32.156";

/// A host that packages come from.
fn package_host() -> &'static str {
    lists::trusted_hosts()[0]
}

/// A watched command whose names are seen.
struct Lookups {
    stage: Stage,
    root: ProcessKey,
    cookie: u64,
}

impl Lookups {
    /// `python app.py`.
    fn new() -> Self {
        let mut lookups = Self::bare();
        lookups.python();
        lookups.read(lookups.root, &["10.0.0.2", "127.0.0.53"], &[], &[]);
        lookups
    }

    /// Nothing runs yet.
    fn bare() -> Self {
        let mut stage = Stage::new("python app.py");
        let Body::Start(start) = &mut stage.events[0].body else {
            unreachable!("a stage begins with it")
        };
        start.hooks.push("dns: cgroup ingress and egress".into());
        let root = stage.root;
        Self {
            stage,
            root,
            cookie: 100,
        }
    }

    fn python(&mut self) {
        let args = ["python", "app.py"];
        self.stage
            .exec(self.root, "/usr/bin/python3.11", &args, APP, &[]);
    }

    fn npm(&mut self) {
        let args = ["node", "/usr/bin/npm", "ci"];
        self.stage.exec(self.root, "/usr/bin/node", &args, APP, &[]);
    }

    /// A dependency's postinstall script.
    fn script(&mut self) -> ProcessKey {
        self.script_of(self.root)
    }

    fn script_of(&mut self, manager: ProcessKey) -> ProcessKey {
        let folder = "/home/dev/app/node_modules/evil";
        let variables = [
            "npm_lifecycle_event=postinstall",
            "npm_package_name=evil",
            "npm_package_version=1.2.3",
        ];
        let shell = ["sh", "-c", "node x.js"];
        let shell = self
            .stage
            .spawn(manager, "/usr/bin/dash", &shell, folder, &variables);
        self.stage.spawn(
            shell,
            "/usr/bin/node",
            &["node", "x.js"],
            folder,
            &variables,
        )
    }

    /// The edge read this where a session began.
    fn read(
        &mut self,
        about: ProcessKey,
        servers: &[&str],
        hosts: &[(&str, &str)],
        registries: &[(&str, Option<u16>)],
    ) {
        let ip = |ip: &str| -> IpAddr { ip.parse().unwrap() };
        let resolver = Resolver {
            servers: servers.iter().map(|server| ip(server)).collect(),
            hosts: hosts
                .iter()
                .map(|(address, name)| (ip(address), vec![(*name).into()]))
                .collect(),
            registries: registries
                .iter()
                .map(|(host, port)| Registry {
                    host: (*host).into(),
                    port: *port,
                    source: "npmrc /home/dev/app/.npmrc".into(),
                })
                .collect(),
        };
        let resolver = Box::new(resolver);
        self.stage.push(Body::Resolver { about, resolver });
    }

    fn message(&mut self, process: ProcessKey, dns: Dns) {
        let actor = self.stage.actor(process);
        let dns = Box::new(dns);
        self.stage.push(Body::Dns { actor, dns });
    }

    /// On a socket of its own.
    fn ask(&mut self, process: ProcessKey, name: &str) -> Dns {
        self.cookie += 1;
        let question = Dns {
            cookie: self.cookie,
            netns: NETNS,
            transport: Transport::Udp,
            server: SERVER.parse().unwrap(),
            message: DnsMessage {
                id: 7,
                question: Some(DnsQuestion {
                    name: name.into(),
                    kind: 1,
                }),
                ..DnsMessage::default()
            },
        };
        self.message(process, question.clone());
        question
    }

    /// A process is told a name, as it should be.
    fn told(&mut self, process: ProcessKey, name: &str, address: &str) {
        let question = self.ask(process, name);
        self.message(process, answer(&question, &[(name, address)]));
    }

    fn connect(&mut self, process: ProcessKey, address: &str, port: u16, errno: i32) {
        let socket = Socket {
            netns: NETNS,
            ..socket(Transport::Tcp, &format!("{address}:{port}"))
        };
        self.connect_to(process, socket, errno);
    }

    fn connect_to(&mut self, process: ProcessKey, socket: Socket, errno: i32) {
        let actor = self.stage.actor(process);
        self.stage.push(Body::Connect { actor, socket });
        self.stage.push(Body::ConnectResult {
            actor,
            errno,
            cookie: 0,
        });
    }

    /// What is known of a connection that is made now, and of no other.
    fn seen(&mut self, process: ProcessKey) -> Seen {
        self.connect(process, ADDRESS, 4444, 0);
        self.last()
    }

    fn last(&self) -> Seen {
        let outcome = play(&self.stage);
        Seen(outcome.alerts.last().expect("the port raises one").clone())
    }
}

struct Seen(Alert);

impl Seen {
    fn field(&self, name: &str) -> &str {
        self.0.evidence.fields.get(name).map_or("", String::as_str)
    }

    /// Name, whether it was resolved, whether it is trusted.
    fn all(&self) -> (&str, &str, &str) {
        let fields = (
            self.field("DestinationHostname"),
            self.field("DestinationResolved"),
            self.field("DestinationTrusted"),
        );
        let destination = self.0.destination.as_ref().unwrap();
        assert_eq!(destination.domain.as_deref().unwrap_or_default(), fields.0);
        assert_eq!(destination.resolved, fields.1);
        fields
    }
}

fn answer(question: &Dns, addresses: &[(&str, &str)]) -> Dns {
    let mut answer = question.clone();
    answer.message.response = true;
    answer.message.answers = addresses
        .iter()
        .map(|(name, address)| DnsAnswer {
            name: (*name).into(),
            ttl: 300,
            data: DnsData::Address(address.parse().unwrap()),
        })
        .collect();
    answer
}

/// An address with a port, or a path.
fn socket(transport: Transport, to: &str) -> Socket {
    let address: Option<std::net::SocketAddr> = to.parse().ok();
    Socket {
        transport,
        ip: address.map(|address| address.ip()),
        port: address.map_or(0, |address| address.port()),
        path: address.is_none().then(|| to.into()),
        cookie: 1,
        netns: NETNS,
        observed: Observed::Kernel,
    }
}

#[test]
fn a_name_that_was_asked_for_and_told_is_shown_with_its_address() {
    let mut lookups = Lookups::new();
    lookups.told(lookups.root, "C2.Example.", ADDRESS);
    let seen = lookups.seen(lookups.root);
    assert_eq!(seen.all(), ("c2.example", "yes", "false"));
    let destination = seen.0.destination.as_ref().unwrap();
    assert_eq!(destination.domain_source.as_deref(), Some("dns"));
    assert!(seen.0.summary.contains("c2.example"), "{}", seen.0.summary);
    let report = play(&lookups.stage).report;
    assert_eq!(report.connections[0].domain.as_deref(), Some("c2.example"));
}

#[test]
fn an_address_that_no_name_was_asked_for_is_unresolved() {
    let mut lookups = Lookups::new();
    lookups.told(lookups.root, "other.example", "45.33.32.157");
    assert_eq!(lookups.seen(lookups.root).all(), ("", "no", "false"));
}

#[test]
fn a_name_is_one_namespaces_own() {
    let mut lookups = Lookups::new();
    lookups.told(lookups.root, "c2.example", ADDRESS);
    let elsewhere = Socket {
        netns: NETNS + 1,
        ..socket(Transport::Tcp, "45.33.32.156:4444")
    };
    lookups.connect_to(lookups.root, elsewhere, 0);
    assert_eq!(lookups.last().all(), ("", "no", "false"));
}

#[test]
fn an_alias_is_not_the_name_that_was_asked_for() {
    let mut lookups = Lookups::new();
    let question = lookups.ask(lookups.root, "www.example");
    let mut told = answer(&question, &[(package_host(), ADDRESS)]);
    let alias = DnsData::Alias(package_host().into());
    let alias = DnsAnswer {
        name: "www.example".into(),
        ttl: 5,
        data: alias,
    };
    told.message.answers.push(alias);
    lookups.message(lookups.root, told);
    assert_eq!(
        lookups.seen(lookups.root).all(),
        ("www.example", "yes", "false")
    );
}

#[test]
fn what_the_hosts_file_says_is_a_label_and_no_trust() {
    let mut lookups = Lookups::bare();
    lookups.python();
    let hosts = [(ADDRESS, package_host())];
    lookups.read(lookups.root, &["10.0.0.2"], &hosts, &[]);
    let seen = lookups.seen(lookups.root);
    assert_eq!(seen.all(), (package_host(), "unknown", "false"));
    let destination = seen.0.destination.as_ref().unwrap();
    assert_eq!(destination.domain_source.as_deref(), Some("hosts"));
}

#[test]
fn a_name_that_ran_out_may_still_be_remembered_by_the_process() {
    let mut lookups = Lookups::new();
    lookups.told(lookups.root, "c2.example", ADDRESS);
    lookups.stage.pass(301_000_000_000);
    assert_eq!(lookups.seen(lookups.root).all(), ("", "unknown", "false"));
}
