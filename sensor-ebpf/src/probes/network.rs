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
};

use super::{AF_INET, AF_INET6, ALLOW, ended, errno};
use crate::kernel::{
    lineage, object,
    read::field,
    record::{self, Ring},
    socket::{self, Asked},
};

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
    let registers = object::registers();
    let (Some(address), Some(given)) = (field!(registers, regs_1), field!(registers, regs_2))
    else {
        record::lost(kind::CONNECT_EXIT);
        return None;
    };
    let (address, given): (u64, u64) = (address, given);
    // SAFETY: the entry is a map value.
    let header = record::header(kind::CONNECT_EXIT, unsafe { &*entry });
    let mut exit = ConnectExit {
        header,
        errno: errno(result),
        length: 0,
        sockaddr: [0; SOCKADDR],
    };
    let length = (given as u32).min(SOCKADDR as u32);
    // SAFETY: at most the array's size; the helper checks the source.
    let failed = unsafe {
        bpf_probe_read_user(
            exit.sockaddr.as_mut_ptr().cast(),
            length,
            address as *const _,
        )
    };
    // An address that the kernel could not read either made the call fail.
    if failed != 0 && result != -EFAULT {
        record::lost(kind::CONNECT_EXIT);
        return None;
    }
    exit.length = if failed == 0 { length } else { 0 };
    let size = size_of::<ConnectExit>() as u32;
    record::emit(
        Ring::Event,
        kind::CONNECT_EXIT,
        (&raw const exit).cast(),
        size,
    );
    Some(())
}
