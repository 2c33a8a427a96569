//! From the wire format to events. What can't be read is an error, never a guess.

mod dns;
mod exec;
mod network;
mod path;
#[cfg(test)]
mod tests;

use sensor_ebpf::abi::{Header, file, kind, network as wire, process, uring};
use thiserror::Error;
use zerocopy::FromBytes;

use dns::dns;
pub(super) use exec::Detail;
use exec::{exec_detail, exec_small};
use network::{connect_exit, peer_body};
use path::{Sections, argument_place, link_target};

use crate::event::{Actor, Body, Event, Open, Operations, Place, ProcessKey, UringOperation};

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
        kind::DNS => return dns(bytes),
        kind::CONNECT_STATE => {
            let (state, _) = wire::ConnectState::read_from_prefix(bytes).ok()?;
            let body = Body::ConnectResult {
                actor: actor(&state.header),
                errno: state.errno as i32,
                cookie: state.cookie,
            };
            (state.header, body)
        }
        kind::CONNECT | kind::SEND | kind::RAW_SOCKET | kind::LISTEN => {
            let (peer, _) = wire::Peer::read_from_prefix(bytes).ok()?;
            (peer.header, peer_body(kind, &peer)?)
        }
        kind::CONNECT_EXIT => return connect_exit(bytes, connects),
        kind::OPEN => {
            let (open, rest) = file::Open::read_from_prefix(bytes).ok()?;
            let mut sections = Sections(rest);
            let mut place = sections.place(open.argument, open.path)?;
            if open.source != 0 {
                place.source = Some(Box::new(sections.kernel_place(open.source)?));
            }
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
        kind::RENAME | kind::LINK | kind::SYMLINK => {
            let (names, rest) = file::Rename::read_from_prefix(bytes).ok()?;
            let mut sections = Sections(rest);
            let mut from = sections.argument_place(names.from, names.from_base)?;
            let to = sections.argument_place(names.to, names.to_base)?;
            let (actor, errno) = (actor(&names.header), names.errno as i32);
            let symbolic = kind == kind::SYMLINK;
            if symbolic {
                from = link_target(from, &to);
            }
            let body = match kind {
                kind::RENAME => Body::Rename {
                    actor,
                    from,
                    to,
                    errno,
                },
                _ => Body::Link {
                    actor,
                    from,
                    to,
                    symbolic,
                    errno,
                },
            };
            (names.header, body)
        }
        kind::CHMOD | kind::EXEC_FAILED | kind::UNLINK => {
            let (named, rest) = file::Named::read_from_prefix(bytes).ok()?;
            let place = Sections(rest).place(named.argument, named.path)?;
            let (actor, errno) = (actor(&named.header), named.errno as i32);
            let body = match kind {
                kind::UNLINK => Body::Unlink { actor, place },
                kind::CHMOD => Body::Chmod {
                    actor,
                    place,
                    mode: named.mode,
                    errno,
                },
                _ => Body::ExecFailed {
                    actor,
                    place,
                    errno,
                },
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
