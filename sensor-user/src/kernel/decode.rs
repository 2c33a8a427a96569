//! From the wire format to events. What can't be read is an error, never a guess.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sensor_ebpf::abi::exec::ExecDetail;
use sensor_ebpf::abi::path::TRUNCATED;
use sensor_ebpf::abi::process::{DELETED, MEMFD};
use sensor_ebpf::abi::{Header, file, kind, network, process, uring};
use thiserror::Error;
use zerocopy::FromBytes;

use crate::event::redact;
use crate::event::{
    Actor, Body, Event, Exec, Observed, Open, Operations, Place, ProcessKey, Socket, Text,
    Transport, UringOperation,
};

/// A record that is shorter than it says, or of an unknown kind.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a record of kind {kind} and {length} bytes can't be decoded")]
pub(super) struct Undecodable {
    kind: u32,
    length: usize,
}

/// What a ring gives.
#[derive(Debug)]
pub(super) enum Record {
    Event(Event),
    Detail(Detail),
}

/// The bigger half of an exec.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) pid: u32,
    pub(super) time: u64,
    exec: Exec,
}

impl Detail {
    /// Fills in what the small record does not have.
    pub(super) fn complete(self, small: &mut Exec) {
        let Exec {
            executable,
            requested,
            args,
            args_truncated,
            environment,
            environment_truncated,
            working_directory,
            ..
        } = self.exec;
        small.executable = executable;
        small.requested = requested;
        small.args = args;
        small.args_truncated = args_truncated;
        small.environment = environment;
        small.environment_truncated = environment_truncated;
        small.working_directory = working_directory;
    }
}

/// The kind of a record, for counting it even where the rest can't be read.
pub(super) fn kind_of(bytes: &[u8]) -> Option<u32> {
    Header::ref_from_prefix(bytes)
        .ok()
        .map(|(header, _)| header.kind)
}

/// Decodes one record. A connect's end gives two events where no other hook shows its address
/// (`connects`).
pub(super) fn decode(bytes: &[u8], connects: bool) -> Result<Vec<Record>, Undecodable> {
    let kind = kind_of(bytes).unwrap_or(u32::MAX);
    decode_kind(kind, bytes, connects).ok_or(Undecodable {
        kind,
        length: bytes.len(),
    })
}

fn decode_kind(kind: u32, bytes: &[u8], connects: bool) -> Option<Vec<Record>> {
    let (header, body) = match kind {
        kind::FORK => {
            let (fork, _) = process::Fork::read_from_prefix(bytes).ok()?;
            let child = ProcessKey {
                pid: fork.child_pid,
                start: fork.child_start,
            };
            (
                fork.header,
                Body::Fork {
                    actor: actor(&fork.header),
                    child,
                },
            )
        }
        kind::EXIT => {
            let (exit, _) = process::Exit::read_from_prefix(bytes).ok()?;
            let status = exit.status as i32;
            (
                exit.header,
                Body::Exit {
                    actor: actor(&exit.header),
                    status,
                },
            )
        }
        kind::EXEC => {
            let (small, _) = process::Exec::read_from_prefix(bytes).ok()?;
            let exec = Box::new(exec_small(&small));
            (
                small.header,
                Body::Exec {
                    actor: actor(&small.header),
                    exec,
                },
            )
        }
        kind::EXEC_DETAIL => return Some(vec![Record::Detail(exec_detail(bytes)?)]),
        kind::CONNECT | kind::SEND | kind::RAW_SOCKET => {
            let (peer, _) = network::Peer::read_from_prefix(bytes).ok()?;
            (peer.header, peer_body(kind, &peer)?)
        }
        kind::CONNECT_EXIT => return connect_exit(bytes, connects),
        kind::OPEN => {
            let (open, rest) = file::Open::read_from_prefix(bytes).ok()?;
            let mut sections = Sections(rest);
            let place = sections.place(open.argument, open.path)?;
            let open_event = Open {
                place,
                operations: Operations::from_bits_truncate(open.operations),
                flags: open.flags,
                mode: open.mode,
                errno: open.errno as i32,
                inode: open.inode,
            };
            let body = Body::Open {
                actor: actor(&open.header),
                open: Box::new(open_event),
            };
            (open.header, body)
        }
        kind::RENAME => {
            let (rename, rest) = file::Rename::read_from_prefix(bytes).ok()?;
            let mut sections = Sections(rest);
            let from = sections.argument_place(rename.from, rename.from_base)?;
            let to = sections.argument_place(rename.to, rename.to_base)?;
            let actor = actor(&rename.header);
            (
                rename.header,
                Body::Rename {
                    actor,
                    from,
                    to,
                    errno: rename.errno as i32,
                },
            )
        }
        kind::CHMOD | kind::EXEC_FAILED => {
            let (named, rest) = file::Named::read_from_prefix(bytes).ok()?;
            let place = Sections(rest).place(named.argument, named.path)?;
            let (actor, errno) = (actor(&named.header), named.errno as i32);
            let body = if kind == kind::CHMOD {
                Body::Chmod {
                    actor,
                    place,
                    mode: named.mode,
                    errno,
                }
            } else {
                Body::ExecFailed {
                    actor,
                    place,
                    errno,
                }
            };
            (named.header, body)
        }
        kind::MODULE => {
            let (module, rest) = file::Module::read_from_prefix(bytes).ok()?;
            let place = Sections(rest).kernel_place(module.path)?;
            (
                module.header,
                Body::Module {
                    actor: actor(&module.header),
                    path: place.path,
                },
            )
        }
        kind::URING => {
            let (request, rest) = uring::Uring::read_from_prefix(bytes).ok()?;
            let argument = Sections(rest).take(request.argument)?;
            let place = (!argument.is_empty()).then(|| argument_place(argument, Place::default()));
            let operation = uring_operation(request.opcode)?;
            let actor = actor(&request.header);
            (
                request.header,
                Body::IoUring {
                    actor,
                    operation,
                    place,
                },
            )
        }
        _ => return None,
    };
    Some(vec![record(&header, body)])
}

fn record(header: &Header, body: Body) -> Record {
    Record::Event(Event {
        time: header.time,
        cpu: header.cpu,
        sequence: header.sequence,
        body,
    })
}

fn actor(header: &Header) -> Actor {
    Actor {
        process: ProcessKey {
            pid: header.pid,
            start: header.start,
        },
        tid: header.tid,
        uid: header.uid,
        cgroup: header.cgroup,
        root: ProcessKey {
            pid: header.root_pid,
            start: header.root_start,
        },
    }
}

fn exec_small(small: &process::Exec) -> Exec {
    let length = (small.tail_length as usize).min(small.tail.len());
    // The tail may end inside a component, or in what lies behind a short path; the detail has it
    // whole.
    let tail = &small.tail[..length];
    let first = tail.split(|&b| b == 0).next().unwrap_or_default();
    Exec {
        executable: Place {
            path: first.into(),
            truncated: true,
            ..Place::default()
        },
        parent_pid: small.parent_pid,
        deleted: small.flags & DELETED != 0,
        memfd: small.flags & MEMFD != 0,
        inode: small.inode,
        owner: small.owner,
        mode: small.mode,
        directory_owner: small.directory_owner,
        directory_mode: small.directory_mode,
        ..Exec::default()
    }
}

fn exec_detail(bytes: &[u8]) -> Option<Detail> {
    let (detail, rest) = ExecDetail::read_from_prefix(bytes).ok()?;
    let mut sections = Sections(rest);
    let executable = sections.kernel_place(detail.executable)?;
    let working_directory = sections.kernel_place(detail.working_directory)?.path;
    let mut requested = Text::from(sections.take(detail.requested)?);
    redact::text(&mut requested);
    let head = sections.take(detail.arguments_head)?;
    let tail = sections.take(detail.arguments_tail)?;
    let variables = sections.take(detail.environment)?;
    let args_truncated = (head.len() + tail.len()) as u64 != detail.arguments_total;
    let mut environment = variables
        .split(|&b| b == 0)
        .filter_map(|variable| {
            let equals = variable.iter().position(|&b| b == b'=')?;
            let name = std::str::from_utf8(&variable[..equals]).ok()?;
            Some((name.to_owned(), Text::from(&variable[equals + 1..])))
        })
        .collect();
    redact::environment(&mut environment);
    let mut args = arguments(head, tail, args_truncated);
    redact::args(&mut args);
    Some(Detail {
        pid: detail.header.pid,
        time: detail.header.time,
        exec: Exec {
            executable,
            requested,
            args,
            args_truncated,
            environment,
            environment_truncated: detail.environment & TRUNCATED != 0,
            working_directory,
            ..Exec::default()
        },
    })
}

/// Splits the argument list; where its middle is missing, `…` stands in one argument.
fn arguments(head: &[u8], tail: &[u8], truncated: bool) -> Vec<Text> {
    let mut list = head.to_vec();
    if truncated {
        list.extend("…".as_bytes());
        list.extend(tail);
    }
    let list = list.strip_suffix(b"\0").unwrap_or(&list);
    if list.is_empty() {
        return Vec::new();
    }
    list.split(|&b| b == 0).map(Text::from).collect()
}

fn peer_body(kind: u32, peer: &network::Peer) -> Option<Body> {
    let actor = actor(&peer.header);
    if kind == kind::RAW_SOCKET {
        let (family, protocol) = (peer.family as u16, peer.protocol as u16);
        return Some(Body::RawSocket {
            actor,
            family,
            protocol,
        });
    }
    let socket = Socket {
        transport: transport(peer.socket_type),
        ip: Some(ip(peer.family, &peer.address)?),
        port: peer.port as u16,
        path: None,
        cookie: peer.cookie,
        observed: Observed::Kernel,
    };
    Some(match kind {
        kind::SEND => Body::Send { actor, socket },
        _ => Body::Connect { actor, socket },
    })
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

fn ip(family: u32, address: &[u8; 16]) -> Option<IpAddr> {
    match family as u16 {
        AF_INET => {
            let [a, b, c, d, ..] = *address;
            Some(Ipv4Addr::new(a, b, c, d).into())
        }
        // A v4-mapped address is the IPv4 peer that it names.
        AF_INET6 => Some(Ipv6Addr::from(*address).to_canonical()),
        _ => None,
    }
}

fn transport(socket_type: u32) -> Transport {
    match socket_type {
        1 => Transport::Tcp,
        2 => Transport::Udp,
        3 => Transport::Raw,
        _ => Transport::Other,
    }
}

fn connect_exit(bytes: &[u8], connects: bool) -> Option<Vec<Record>> {
    let (exit, _) = network::ConnectExit::read_from_prefix(bytes).ok()?;
    let actor = actor(&exit.header);
    let address = exit.sockaddr.get(..exit.length as usize)?;
    let family = address
        .first_chunk::<2>()
        .map_or(0, |family| u16::from_ne_bytes(*family));
    let mut socket = Socket {
        transport: Transport::Other,
        ip: None,
        port: 0,
        path: None,
        cookie: 0,
        observed: Observed::Argument,
    };
    let shown = match family {
        AF_UNIX => {
            socket.transport = Transport::Unix;
            socket.path = Some(unix_path(&address[2..]));
            true
        }
        AF_INET | AF_INET6 if connects => {
            // The type of the socket is not among the arguments.
            socket.transport = Transport::Tcp;
            socket.port = u16::from_be_bytes(*address.get(2..)?.first_chunk()?);
            let start = if family == AF_INET { 4 } else { 8 };
            let mut bytes = [0; 16];
            let given = &address[start.min(address.len())..];
            let length = given.len().min(16);
            bytes[..length].copy_from_slice(&given[..length]);
            socket.ip = ip(u32::from(family), &bytes);
            socket.ip.is_some()
        }
        _ => false,
    };
    let mut records = Vec::with_capacity(2);
    if shown {
        records.push(record(&exit.header, Body::Connect { actor, socket }));
    } else if !matches!(family, AF_INET | AF_INET6) {
        // Netlink and the like: no destination.
        return Some(records);
    }
    let result = Body::ConnectResult {
        actor,
        errno: exit.errno as i32,
    };
    records.push(record(&exit.header, result));
    Some(records)
}

/// The name of a unix socket: a path ends at its NUL; an abstract name begins with one.
fn unix_path(name: &[u8]) -> Text {
    match name {
        [0, name @ ..] => {
            let end = name.iter().rposition(|&b| b != 0).map_or(0, |at| at + 1);
            Text::from([b"@", &name[..end]].concat())
        }
        _ => name.split(|&b| b == 0).next().unwrap_or_default().into(),
    }
}

fn uring_operation(opcode: u32) -> Option<UringOperation> {
    use uring::opcode;
    Some(match u8::try_from(opcode).ok()? {
        opcode::OPENAT | opcode::OPENAT2 => UringOperation::Open,
        opcode::CONNECT => UringOperation::Connect,
        opcode::SEND | opcode::SENDMSG | opcode::SEND_ZC | opcode::SENDMSG_ZC => {
            UringOperation::Send
        }
        opcode::RENAMEAT => UringOperation::Rename,
        opcode::UNLINKAT => UringOperation::Unlink,
        opcode::LINKAT => UringOperation::Link,
        opcode::SYMLINKAT => UringOperation::Symlink,
        opcode::SOCKET => UringOperation::Socket,
        _ => return None,
    })
}

/// The variable tail of a record.
struct Sections<'a>(&'a [u8]);

impl<'a> Sections<'a> {
    fn take(&mut self, length: u32) -> Option<&'a [u8]> {
        let (section, rest) = self.0.split_at_checked((length & !TRUNCATED) as usize)?;
        self.0 = rest;
        Some(section)
    }

    fn kernel_place(&mut self, length: u32) -> Option<Place> {
        let truncated = length & TRUNCATED != 0;
        let path = turn(self.take(length)?, truncated);
        Some(Place {
            path,
            truncated,
            ..Place::default()
        })
    }

    /// An object's own path, or where there is an argument, that.
    fn place(&mut self, argument: u32, path: u32) -> Option<Place> {
        if argument == 0 {
            self.take(0)?;
            return self.kernel_place(path);
        }
        self.argument_place(argument, path)
    }

    fn argument_place(&mut self, argument: u32, base: u32) -> Option<Place> {
        let bytes = self.take(argument)?;
        let mut place = argument_place(bytes, self.kernel_place(base)?);
        place.truncated |= argument & TRUNCATED != 0;
        Some(place)
    }
}

/// An argument on its base. Only what can't change the meaning is tidied: `.` and double slashes.
fn argument_place(argument: &[u8], base: Place) -> Place {
    let mut path = Vec::new();
    if argument.first() != Some(&b'/') {
        path.extend(base.path.as_bytes());
    }
    for component in argument.split(|&b| b == b'/') {
        if !component.is_empty() && component != b"." {
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend(component);
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    Place {
        path: path.into(),
        observed: Observed::Argument,
        argument: Some(argument.into()),
        truncated: base.truncated,
    }
}

/// Leaf first with NULs, to root first with slashes.
fn turn(leaf_first: &[u8], truncated: bool) -> Text {
    let components = leaf_first.strip_suffix(b"\0").unwrap_or(leaf_first);
    if components.is_empty() {
        return if truncated {
            Text::default()
        } else {
            "/".into()
        };
    }
    let mut path = Vec::with_capacity(leaf_first.len() + 1);
    for component in components.rsplit(|&b| b == 0) {
        if !path.is_empty() || !truncated {
            path.push(b'/');
        }
        path.extend(component);
    }
    path.into()
}

#[cfg(test)]
mod tests;
