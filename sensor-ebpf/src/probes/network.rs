//! Who talks to whom.
//!
//! The cgroup hooks get the kernel's own copy of the address, and see io_uring, 32-bit calls and TCP
//! fast open too. They can be preempted, so they build on the stack and not in the scratch. They
//! never refuse anything: pkgwarden observes.

use aya_ebpf::{
    helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_probe_read_user},
    macros::{cgroup_sock, cgroup_sock_addr, tracepoint},
    programs::{SockAddrContext, SockContext, TracePointContext},
};
use sensor_ebpf::abi::{
    dns, kind,
    network::{ConnectExit, Peer, SOCKADDR},
    offsets::MISSING,
    path,
};

use super::{AF_INET, AF_INET6, ALLOW, ended, errno};
use crate::kernel::{
    lineage,
    object::{self, Path},
    read::{field, offset},
    record::{self, Ring},
    scratch::{self, Scratch, masked},
    socket::{self, Asked},
    walk::{Ask, walk},
};

const AF_UNIX: u32 = 1;

const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;
const SOCK_RAW: u32 = 3;
const IPPROTO_ICMP: u32 = 1;
const IPPROTO_ICMPV6: u32 = 58;

const EFAULT: i64 = 14;

/// `BPF_CGROUP_INET4_CONNECT`, since 4.17: before the connect is made.
#[cgroup_sock_addr(connect4)]
pub fn connect4(context: SockAddrContext) -> i32 {
    peer(&context, kind::CONNECT, AF_INET);
    ALLOW
}

/// `BPF_CGROUP_INET6_CONNECT`, since 4.17.
#[cgroup_sock_addr(connect6)]
pub fn connect6(context: SockAddrContext) -> i32 {
    peer(&context, kind::CONNECT, AF_INET6);
    ALLOW
}

/// `BPF_CGROUP_UDP4_SENDMSG`, since 4.18: sendto, sendmsg and sendmmsg with an address.
#[cgroup_sock_addr(sendmsg4)]
pub fn sendmsg4(context: SockAddrContext) -> i32 {
    peer(&context, kind::SEND, AF_INET);
    ALLOW
}

/// `BPF_CGROUP_UDP6_SENDMSG`, since 4.18.
#[cgroup_sock_addr(sendmsg6)]
pub fn sendmsg6(context: SockAddrContext) -> i32 {
    peer(&context, kind::SEND, AF_INET6);
    ALLOW
}

#[inline(always)]
fn peer(context: &SockAddrContext, kind: u32, family: u32) -> Option<()> {
    let entry = lineage::watched()?;
    record::generated(kind);
    let address = context.sock_addr;
    // SAFETY: the context's fields, each read as the verifier wants it; the entry is a map value.
    let peer = unsafe {
        let mut words = [0u32; 4];
        if family == AF_INET {
            words[0] = core::ptr::read_volatile(&raw const (*address).user_ip4);
        } else {
            words[0] = core::ptr::read_volatile(&raw const (*address).user_ip6[0]);
            words[1] = core::ptr::read_volatile(&raw const (*address).user_ip6[1]);
            words[2] = core::ptr::read_volatile(&raw const (*address).user_ip6[2]);
            words[3] = core::ptr::read_volatile(&raw const (*address).user_ip6[3]);
        }
        Peer {
            header: record::header(kind, &*entry),
            address: core::mem::transmute::<[u32; 4], [u8; 16]>(words),
            cookie: bpf_get_socket_cookie(address.cast()),
            netns: bpf_get_netns_cookie(address.cast()),
            family,
            port: u32::from(u16::from_be((*address).user_port as u16)),
            socket_type: core::ptr::read_volatile(&raw const (*address).type_),
            protocol: core::ptr::read_volatile(&raw const (*address).protocol),
        }
    };
    remember(&peer, kind);
    record::emit(
        Ring::Event,
        kind,
        (&raw const peer).cast(),
        size_of::<Peer>() as u32,
    );
    Some(())
}

/// Leaves word for the hooks that packets and timers run.
#[inline(always)]
fn remember(peer: &Peer, kind: u32) {
    let asked = Asked {
        header: peer.header,
        netns: peer.netns,
        address: peer.address,
        family: peer.family,
        port: peer.port,
    };
    if kind == kind::CONNECT && peer.socket_type == SOCK_STREAM {
        socket::connects(peer.cookie, &asked);
    } else if peer.port == dns::PORT {
        socket::asks(peer.cookie, &asked);
    } else {
        socket::turns(peer.cookie, peer.port);
    }
}

/// `BPF_CGROUP_INET_SOCK_CREATE`, since 4.10. Packet sockets don't come by here.
#[cgroup_sock(sock_create)]
pub fn sock_create(context: SockContext) -> i32 {
    raw_socket(&context);
    ALLOW
}

#[inline(always)]
fn raw_socket(context: &SockContext) -> Option<()> {
    // SAFETY: fields of the context, each read as the verifier wants it.
    let (socket_type, protocol) = unsafe {
        (
            core::ptr::read_volatile(&raw const (*context.sock).type_),
            core::ptr::read_volatile(&raw const (*context.sock).protocol),
        )
    };
    // An unprivileged ICMP socket sends what it likes too, past the datagram hooks.
    let ping =
        socket_type == SOCK_DGRAM && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6);
    if socket_type != SOCK_RAW && !ping {
        return None;
    }
    let entry = lineage::watched()?;
    record::generated(kind::RAW_SOCKET);
    // SAFETY: fields of the context; the entry is a map value.
    let socket = unsafe {
        Peer {
            header: record::header(kind::RAW_SOCKET, &*entry),
            address: [0; 16],
            cookie: 0,
            netns: 0,
            family: (*context.sock).family,
            port: 0,
            socket_type,
            protocol,
        }
    };
    let size = size_of::<Peer>() as u32;
    record::emit(
        Ring::Event,
        kind::RAW_SOCKET,
        (&raw const socket).cast(),
        size,
    );
    Some(())
}

/// `connect(descriptor, address, length)`: how it ended, and AF_UNIX, which the cgroup hooks don't
/// show before 6.7.
#[tracepoint]
pub fn connect_exit(context: TracePointContext) -> u32 {
    connected(&context);
    0
}

#[inline(always)]
fn connected(context: &TracePointContext) -> Option<()> {
    let (_, result) = ended(context)?;
    let entry = lineage::watched()?;
    record::generated(kind::CONNECT_EXIT);
    let done = scratch::with(|scratch| {
        let registers = object::registers();
        let descriptor: u64 = field!(registers, regs_0)?;
        let address: u64 = field!(registers, regs_1)?;
        let given: u64 = field!(registers, regs_2)?;
        let record = scratch::at(scratch, 0).cast::<ConnectExit>();
        // The mask is for the verifier; it leaves the number as it is.
        let length = masked::<127>((given as u32).min(SOCKADDR as u32));
        // SAFETY: the body begins with room for it, aligned; the entry is a map value; at most the
        // array's size is read, from where the helper checks.
        let read = unsafe {
            (*record).header = record::header(kind::CONNECT_EXIT, &*entry);
            (*record).errno = errno(result);
            let sockaddr = &raw mut (*record).sockaddr;
            bpf_probe_read_user(sockaddr.cast(), length, address as *const _) == 0
        };
        // An address that the kernel could not read either made the call fail.
        if !read && result != -EFAULT {
            return None;
        }
        let length = if read { length } else { 0 };
        // SAFETY: as above.
        let [family, _, first, ..] = unsafe { (*record).sockaddr };
        let is_path = length > 2 && u32::from(family) == AF_UNIX && first != 0;
        let start = size_of::<ConnectExit>() as u32;
        let (path, found) = match is_path {
            true => named(scratch, descriptor as u32, result, first, start),
            false => (0, false),
        };
        // SAFETY: as above.
        unsafe {
            (*record).length = length;
            (*record).path = path;
            (*record).found = found as u32;
        }
        let whole = scratch::bounded(start + (path & !path::TRUNCATED));
        record::emit(Ring::Event, kind::CONNECT_EXIT, record.cast(), whole);
        Some(())
    });
    if done.is_none() {
        record::lost(kind::CONNECT_EXIT);
    }
    Some(())
}

/// Writes the path that belongs to an AF_UNIX address, and says whether it is the peer's own: the address
/// may have changed since, and a link or a mount may have led elsewhere.
#[inline(always)]
fn named(scratch: *mut Scratch, descriptor: u32, result: i64, first: u8, at: u32) -> (u32, bool) {
    let task = object::current();
    let peer = match result {
        0 => object::file(task, descriptor).and_then(peer_path),
        _ => None,
    };
    let path = match peer {
        Some(path) => Some(path),
        None if first != b'/' => object::working_directory(task),
        None => None,
    };
    let section = path.map_or(0, |path| walk(scratch, path, at, Ask::Nothing).section);
    (section, peer.is_some())
}

/// What the other end of a connected AF_UNIX socket is bound to (`unix_stream_connect`, net/unix/af_unix.c:
/// an end that was accepted has its listener's).
#[inline(always)]
fn peer_path(file: u64) -> Option<Path> {
    if offset!(unix_peer) == MISSING {
        return None;
    }
    let socket: u64 = field!(file, file_private)?;
    let sock: u64 = field!(socket, socket_sock)?;
    let peer: u64 = field!(sock, unix_peer)?;
    let path = Path {
        mount: field!(peer, unix_path_mnt)?,
        dentry: field!(peer, unix_path_dentry)?,
    };
    (path.dentry != 0 && path.mount != 0).then_some(path)
}
