//! An event as what rules are asked about: one act or several, each in one Sigma category.

mod file;
mod question;

use std::net::IpAddr;
use std::rc::Rc;

use crate::alert::schema::{EventWord, ObservedWord};
use crate::attribution::folder_holds;
use crate::detect::{Branch, Category, Field, Subject, Value};
use crate::event::{Body, Dns, DnsQuestion, Observed, Socket, Text, Transport};
use crate::lineage::Image;
use crate::names::{self, Class};

use super::moment::Moment;
use file::{FileAct, file, named, opened, read, source, uring};

/// One act.
#[derive(Debug)]
pub(super) struct Act<'e> {
    pub(super) category: Category,
    pub(super) word: EventWord,
    pub(super) object: Object<'e>,
}

/// What it was done to.
#[derive(Debug)]
pub(super) enum Object<'e> {
    /// The process's own new program.
    Program,
    Peer(&'e Socket),
    /// A socket of its own that others may connect to.
    Listener(&'e Socket),
    Question(&'e Dns, &'e DnsQuestion),
    /// What such a question was answered with; only for rules that ask for it.
    Answer(&'e Dns, &'e DnsQuestion),
    RawSocket,
    File(FileAct<'e>),
}

/// The acts of an event; none for those that only change what is known.
pub(super) fn acts(body: &Body) -> Vec<Act<'_>> {
    match body {
        Body::Exec { .. } => vec![Act {
            category: Category::ProcessCreation,
            word: EventWord::Exec,
            object: Object::Program,
        }],
        Body::Connect { socket, .. } => vec![peer(EventWord::Connect, socket)],
        Body::Send { socket, .. } => vec![peer(EventWord::Send, socket)],
        Body::Listen { socket, .. } => vec![Act {
            category: Category::NetworkConnection,
            word: EventWord::Listen,
            object: Object::Listener(socket),
        }],
        Body::Dns { dns, .. } => match (&dns.message.question, dns.message.response) {
            (Some(question), false) => vec![dns_act(Object::Question(dns, question))],
            (Some(question), true) if !dns.message.answers.is_empty() => {
                vec![dns_act(Object::Answer(dns, question))]
            }
            _ => Vec::new(),
        },
        Body::RawSocket { .. } => vec![Act {
            category: Category::NetworkConnection,
            word: EventWord::Socket,
            object: Object::RawSocket,
        }],
        Body::Open { open, .. } => opened(open),
        // A file renamed or linked into place is as good as one created there; and what it was
        // called before may be a store that is then read under the new name.
        Body::Rename {
            from, to, errno: 0, ..
        } => {
            let new = named(from, to, "rename");
            let mut acts = vec![file(Category::FileRename, EventWord::Rename, new.clone())];
            acts.push(file(Category::FileEvent, EventWord::Rename, new));
            acts.push(source(EventWord::Rename, from, "rename_source"));
            acts
        }
        Body::Link {
            from,
            to,
            symbolic: false,
            errno: 0,
            ..
        } => vec![
            file(
                Category::FileEvent,
                EventWord::Link,
                named(from, to, "link"),
            ),
            source(EventWord::Link, from, "link_source"),
        ],
        Body::Link {
            from,
            to,
            symbolic: true,
            errno: 0,
            ..
        } => vec![file(
            Category::FileEvent,
            EventWord::Symlink,
            named(from, to, "symlink"),
        )],
        Body::Unlink { place, .. } => vec![file(
            Category::FileDelete,
            EventWord::Unlink,
            FileAct {
                errno: Some(0),
                ..FileAct::new(place, "unlink")
            },
        )],
        Body::Chmod {
            place,
            mode,
            errno: 0,
            ..
        } => vec![file(
            Category::FileEvent,
            EventWord::Chmod,
            FileAct {
                mode: Some(*mode),
                errno: Some(0),
                ..FileAct::new(place, "chmod")
            },
        )],
        Body::StartupFile { place, code, .. } => vec![read(place, code)],
        Body::IoUring {
            operation,
            place: Some(place),
            ..
        } => uring(*operation, place),
        _ => Vec::new(),
    }
}

fn dns_act(object: Object<'_>) -> Act<'_> {
    Act {
        category: Category::DnsQuery,
        word: EventWord::Dns,
        object,
    }
}

fn peer(word: EventWord, socket: &Socket) -> Act<'_> {
    Act {
        category: Category::NetworkConnection,
        word,
        object: Object::Peer(socket),
    }
}

impl Act<'_> {
    /// The field without which no rule is asked about it: every other one was asked before, when the
    /// question was, or when the file was written.
    pub(super) fn only_for(&self) -> Option<Field> {
        match &self.object {
            Object::Answer(..) => Some(Field::QueryResults),
            Object::File(file) => file.code.map(|_| Field::FileCode),
            _ => None,
        }
    }

    /// What makes two acts of one process the same finding.
    pub(super) fn target(&self, moment: &Moment<'_>) -> String {
        match &self.object {
            Object::Program => moment
                .process
                .image()
                .map(|image| image.command_line.to_string())
                .unwrap_or_default(),
            Object::Peer(socket) => match (&socket.path, socket.ip) {
                (Some(path), _) => path.escaped(),
                (None, Some(ip)) => {
                    let transport = transport(socket.transport);
                    format!("{transport} {} {}", names::canonical(ip), socket.port)
                }
                (None, None) => "unknown".to_owned(),
            },
            Object::Listener(socket) => {
                let transport = transport(socket.transport);
                format!("listen {transport} {}", socket.port)
            }
            Object::Question(..) => match &moment.shape {
                Some(shape) => format!("dns {}", shape.domain),
                None => "dns".to_owned(),
            },
            Object::Answer(_, question) => format!("dns {}", names::from_wire(&question.name)),
            Object::RawSocket => "raw".to_owned(),
            Object::File(file) => file.place.path.escaped(),
        }
    }

    /// Whether what it was done to was read from the kernel's own object.
    pub(super) fn observed(&self) -> ObservedWord {
        let observed = match &self.object {
            Object::Program | Object::RawSocket | Object::Question(..) | Object::Answer(..) => {
                Observed::Kernel
            }
            Object::Peer(socket) | Object::Listener(socket) => socket.observed,
            Object::File(file) => file.place.observed,
        };
        match observed {
            Observed::Kernel => ObservedWord::Kernel,
            Observed::Argument => ObservedWord::Argument,
        }
    }

    /// A rule of the branch that `--trust` silences, asked about a connection or a question.
    pub(super) fn is_callback(&self, branch: Branch) -> bool {
        matches!(
            self.category,
            Category::NetworkConnection | Category::DnsQuery
        ) && branch == Branch::MaliciousLibraryC2Callback
    }

    /// Sets the fields of the act's category.
    pub(super) fn fill(&self, subject: &mut Subject, moment: &Moment<'_>) {
        subject.category = self.category;
        match &self.object {
            Object::Program => {
                if let Some(image) = moment.process.image() {
                    inside(subject, &image_paths(image), moment);
                }
            }
            Object::Peer(socket) => {
                let ip = socket.ip.map(names::canonical);
                subject.set(Field::DestinationIp, ip.map(|ip| ip.to_string()));
                subject.set(Field::DestinationPort, ip.map(|_| u32::from(socket.port)));
                let protocol = Value::Word(transport(socket.transport));
                subject.set(Field::Protocol, Some(protocol));
                subject.set(Field::Initiated, Some(true));
                subject.set(
                    Field::DestinationClass,
                    class(socket).map(|class| Value::Word(class.name())),
                );
                let peer = &moment.peer;
                subject.set(Field::DestinationHostname, peer.name.clone());
                let resolved = ip.map(|_| Value::Word(peer.resolved.name()));
                subject.set(Field::DestinationResolved, resolved);
                subject.set(Field::DestinationTrusted, Some(peer.trusted));
                let resolver = peer.resolver.then_some(true);
                subject.set(Field::DestinationIsResolver, resolver);
                subject.set(Field::SocketPath, socket.path.as_ref().map(lossy));
            }
            // There is no other end yet: what it is bound to is the source, so that no rule takes its
            // own address for one that was connected to.
            Object::Listener(socket) => {
                let ip = socket.ip.map(names::canonical);
                subject.set(Field::SourceIp, ip.map(|ip| ip.to_string()));
                subject.set(Field::SourcePort, ip.map(|_| u32::from(socket.port)));
                let protocol = Value::Word(transport(socket.transport));
                subject.set(Field::Protocol, Some(protocol));
                subject.set(Field::Initiated, Some(false));
            }
            Object::Question(_, question) => question::fill(subject, question, moment),
            Object::Answer(dns, question) => question::answered(subject, dns, question),
            Object::RawSocket => {
                subject.set(Field::Protocol, Some(Value::Word("raw")));
                subject.set(Field::Initiated, Some(true));
            }
            Object::File(file) => file.fill(subject, self.category, moment),
        }
    }
}

/// Sets whether all of `paths` lie in the package's own folder, and in the project.
fn inside(subject: &mut Subject, paths: &[&str], moment: &Moment<'_>) {
    let context = &moment.process.context;
    let in_package = context.package.as_ref().is_some_and(|package| {
        let package = package.borrow();
        let folder = package.path.as_deref();
        folder.is_some_and(|folder| paths.iter().all(|path| folder_holds(folder, path)))
    });
    let in_project = paths.iter().all(|path| context.in_project(path));
    subject.set(Field::InsidePackage, Some(in_package));
    subject.set(Field::InsideProject, Some(in_project));
}

/// Where a started program lies: the executable, and what was asked for if that is something else.
/// An interpreter of the system's says nothing of its script's place, so it does not count; one that
/// lies anywhere else does, or a script in the project could have it started unseen.
fn image_paths(image: &Image) -> Vec<&str> {
    let of_the_system = image.path.starts_with("/usr/") && image.directory_writable == Some(false);
    match &image.script {
        Some(script) if of_the_system => vec![script],
        Some(script) => vec![script, &image.path],
        None => vec![&image.path],
    }
}

fn lossy(text: &Text) -> Rc<str> {
    text.to_str_lossy().into()
}

/// The class of the peer, where its address is known.
pub(super) fn class(socket: &Socket) -> Option<Class> {
    match (&socket.path, socket.ip) {
        (Some(_), _) => Some(Class::Unix),
        (None, Some(ip)) => Some(names::classify(ip)),
        (None, None) => None,
    }
}

/// As rules and alerts spell it.
pub(super) fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Unix => "unix",
        Transport::Raw => "raw",
        Transport::Other => "other",
    }
}

/// The address as shown: a v4-mapped one as the IPv4 address it is.
pub(super) fn shown(ip: IpAddr) -> String {
    names::canonical(ip).to_string()
}
