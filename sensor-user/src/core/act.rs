//! An event as what rules are asked about: one act or several, each in one Sigma category.

use std::net::IpAddr;
use std::rc::Rc;

use nix::errno::Errno;

use crate::alert::schema::{EventWord, ObservedWord};
use crate::attribution::folder_holds;
use crate::detect::{Branch, Category, Field, Subject};
use crate::event::{
    Body, Observed, Open, Operations, Place, Socket, Text, Transport, UringOperation,
};
use crate::lineage::Image;
use crate::names::{self, Class, Trust};

use super::moment::Moment;

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
    RawSocket,
    File(FileAct<'e>),
}

/// What was done to a file.
#[derive(Debug, Clone)]
pub(super) struct FileAct<'e> {
    pub(super) place: &'e Place,
    /// The name it had before, of a rename.
    pub(super) from: Option<&'e Place>,
    /// As rules see it: create, write, chmod, rename, read, …
    pub(super) operation: &'static str,
    pub(super) mode: Option<u32>,
    pub(super) flags: Option<u32>,
    /// 0, an errno, or unknown.
    pub(super) errno: Option<i32>,
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
        Body::IoUring {
            operation,
            place: Some(place),
            ..
        } => uring(*operation, place),
        _ => Vec::new(),
    }
}

fn peer(word: EventWord, socket: &Socket) -> Act<'_> {
    Act {
        category: Category::NetworkConnection,
        word,
        object: Object::Peer(socket),
    }
}

fn file<'e>(category: Category, word: EventWord, file: FileAct<'e>) -> Act<'e> {
    Act {
        category,
        word,
        object: Object::File(file),
    }
}

/// A file that a bind mount shows elsewhere is asked about under both paths.
fn opened(open: &Open) -> Vec<Act<'_>> {
    let mut acts = opened_as(open, &open.place);
    if let Some(source) = &open.place.source {
        acts.extend(opened_as(open, source));
    }
    acts
}

/// A file under its new name.
fn named<'e>(from: &'e Place, to: &'e Place, operation: &'static str) -> FileAct<'e> {
    FileAct {
        from: Some(from),
        errno: Some(0),
        ..FileAct::new(to, operation)
    }
}

/// The same under its old one.
fn source<'e>(word: EventWord, from: &'e Place, operation: &'static str) -> Act<'e> {
    let act = FileAct {
        errno: Some(0),
        ..FileAct::new(from, operation)
    };
    file(Category::FileAccess, word, act)
}

fn opened_as<'e>(open: &'e Open, place: &'e Place) -> Vec<Act<'e>> {
    let act = |operation| FileAct {
        mode: (open.mode != 0).then_some(open.mode),
        flags: Some(open.flags),
        errno: Some(open.errno),
        ..FileAct::new(place, operation)
    };
    let mut acts = Vec::new();
    let (operations, worked) = (open.operations, open.errno == 0);
    let created = operations.contains(Operations::CREATE);
    // A write that failed left nothing behind. A read that failed tells what was looked for.
    if worked && operations.intersects(Operations::WRITE | Operations::CREATE) {
        let (word, operation) = match created {
            true => (EventWord::Create, "create"),
            false => (EventWord::Write, "write"),
        };
        acts.push(file(Category::FileEvent, word, act(operation)));
    }
    if operations.contains(Operations::READ) && !(worked && created) {
        acts.push(file(Category::FileAccess, EventWord::Open, act("read")));
    }
    acts
}

/// What is known of an io_uring request is its path, not how it ended nor, for an open, what for.
fn uring(operation: UringOperation, place: &Place) -> Vec<Act<'_>> {
    let act =
        |category, operation| file(category, EventWord::IoUring, FileAct::new(place, operation));
    match operation {
        UringOperation::Open => vec![
            act(Category::FileEvent, "open"),
            act(Category::FileAccess, "read"),
        ],
        UringOperation::Rename => vec![act(Category::FileEvent, "rename")],
        UringOperation::Link => vec![act(Category::FileEvent, "link")],
        UringOperation::Symlink => vec![act(Category::FileEvent, "symlink")],
        UringOperation::Unlink => vec![act(Category::FileDelete, "unlink")],
        UringOperation::Connect | UringOperation::Send | UringOperation::Socket => Vec::new(),
    }
}

impl<'e> FileAct<'e> {
    fn new(place: &'e Place, operation: &'static str) -> Self {
        Self {
            place,
            from: None,
            operation,
            mode: None,
            flags: None,
            errno: None,
        }
    }

    /// `success`, the errno's name, or `unknown`.
    pub(super) fn outcome(&self) -> String {
        match self.errno {
            None => "unknown".to_owned(),
            Some(0) => "success".to_owned(),
            Some(errno) => match Errno::from_raw(errno) {
                Errno::UnknownErrno => format!("errno {errno}"),
                known => format!("{known:?}"),
            },
        }
    }

    /// Permission bits in octal.
    pub(super) fn octal_mode(&self) -> Option<String> {
        self.mode.map(|mode| format!("{:04o}", mode & 0o7777))
    }
}

impl Act<'_> {
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
            Object::RawSocket => "raw".to_owned(),
            Object::File(file) => file.place.path.escaped(),
        }
    }

    /// Whether what it was done to was read from the kernel's own object.
    pub(super) fn observed(&self) -> ObservedWord {
        let observed = match &self.object {
            Object::Program | Object::RawSocket => Observed::Kernel,
            Object::Peer(socket) => socket.observed,
            Object::File(file) => file.place.observed,
        };
        match observed {
            Observed::Kernel => ObservedWord::Kernel,
            Observed::Argument => ObservedWord::Argument,
        }
    }

    /// The peer is one that `--trust` names. The metadata service never is: its credentials are not
    /// what a trusted network is for.
    pub(super) fn is_trusted(&self, trust: &Trust) -> bool {
        match &self.object {
            Object::Peer(socket) => {
                trust.holds(socket.ip, None) && class(socket) != Some(Class::Metadata)
            }
            _ => false,
        }
    }

    /// A rule of the branch that `--trust` silences, asked about a connection.
    pub(super) fn is_callback(&self, branch: Branch) -> bool {
        self.category == Category::NetworkConnection && branch == Branch::MaliciousLibraryC2Callback
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
                subject.set(Field::Protocol, Some(transport(socket.transport)));
                subject.set(Field::Initiated, Some(true));
                subject.set(Field::DestinationClass, class(socket).map(Class::name));
                subject.set(Field::DestinationResolved, ip.map(|_| RESOLVED));
                subject.set(Field::DestinationTrusted, Some(moment.trusted));
                subject.set(Field::SocketPath, socket.path.as_ref().map(lossy));
            }
            Object::RawSocket => {
                subject.set(Field::Protocol, Some("raw"));
                subject.set(Field::Initiated, Some(true));
            }
            Object::File(file) => file.fill(subject, self.category, moment),
        }
    }
}

impl FileAct<'_> {
    fn fill(&self, subject: &mut Subject, category: Category, moment: &Moment<'_>) {
        let path = lossy(&self.place.path);
        inside(subject, &[&path], moment);
        match category {
            Category::FileAccess => {
                subject.set(Field::FileName, Some(path));
                let outcome = self.errno.map(|_| self.outcome());
                subject.set(Field::AccessOutcome, outcome);
            }
            Category::FileRename => {
                let from = self.from.map(|place| lossy(&place.path));
                subject.set(Field::SourceFilename, from);
                subject.set(Field::TargetFilename, Some(path));
            }
            Category::FileEvent => {
                subject.set(Field::TargetFilename, Some(path));
                subject.set(Field::FileOperation, Some(self.operation));
                subject.set(Field::FileMode, self.octal_mode());
                let executable = self.mode.map(|mode| is_file(mode) && mode & 0o111 != 0);
                subject.set(Field::FileExecutable, executable);
            }
            _ => subject.set(Field::TargetFilename, Some(path)),
        }
    }
}

/// No name is known for any address yet.
pub(super) const RESOLVED: &str = "unknown";

/// Sets whether all of `paths` lie in the package's own folder, and in the project.
fn inside(subject: &mut Subject, paths: &[&str], moment: &Moment<'_>) {
    let context = &moment.process.context;
    let package = context.package.as_ref().map(|package| package.borrow());
    let folder = package.and_then(|package| package.path.clone());
    let in_package =
        folder.is_some_and(|folder| paths.iter().all(|path| folder_holds(&folder, path)));
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

/// chmod(2) gives permission bits only.
fn is_file(mode: u32) -> bool {
    const TYPE: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    matches!(mode & TYPE, 0 | REGULAR)
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
