//! What becomes of TCP sockets: how a connect ends, blocking or not, and who begins to listen.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use sensor_ebpf::abi::{
    kind,
    network::{ConnectState, Peer},
    offsets::MISSING,
};

use super::{AF_INET, AF_INET6};
use crate::kernel::{
    lineage,
    read::{field, offset},
    record::{self, Ring},
    socket,
};

/// `enum` in include/net/tcp_states.h.
const ESTABLISHED: u32 = 1;
const SYN_SENT: u32 = 2;
const SYN_RECV: u32 = 3;
const CLOSE: u32 = 7;
const LISTEN: u32 = 10;

const IPPROTO_MPTCP: u32 = 262;

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)`, since 4.16; for other
/// protocols with such states too.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn state_btf(context: BtfTracePointContext) -> i32 {
    let socket = context.arg::<*const u8>(0) as u64;
    changed(socket, context.arg::<u32>(1), context.arg::<u32>(2));
    0
}

/// The same arguments.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn state_raw(context: RawTracePointContext) -> i32 {
    let socket = context.arg::<*const u8>(0) as u64;
    changed(socket, context.arg::<u32>(1), context.arg::<u32>(2));
    0
}

#[inline(always)]
fn changed(sock: u64, old: u32, new: u32) -> Option<()> {
    if new == LISTEN {
        return listens(sock);
    }
    if old != SYN_SENT && new != CLOSE && new != SYN_SENT {
        return None;
    }
    // Of a socket that nobody asked the cookie of there is none.
    let cookie: u64 = field!(sock, sock_cookie)?;
    if cookie == 0 {
        return None;
    }
    if new == SYN_SENT {
        return socket::calls(cookie);
    }
    if old == SYN_SENT {
        decided(sock, cookie, new);
    }
    if new == CLOSE {
        // No descriptor is closed for the parts of a multipath connection.
        socket::hushes(cookie);
    }
    Some(())
}

/// A connect is over. The hook that saw it begin saw the part of a multipath connection that it is made
/// on, so this is told once although the whole has states of its own.
#[inline(always)]
fn decided(sock: u64, cookie: u64, new: u32) -> Option<()> {
    let header = socket::connected(cookie)?;
    let errno = match new {
        // Both ends called each other (RFC 9293, 3.5): there is somebody.
        ESTABLISHED | SYN_RECV => 0,
        CLOSE => {
            // `tcp_reset` and its like set it before the state. Without it the process gave up.
            let error: u32 = field!(sock, sock_error)?;
            if error == 0 {
                return None;
            }
            error
        }
        _ => return None,
    };
    record::generated(kind::CONNECT_STATE);
    let state = ConnectState {
        header: record::again(kind::CONNECT_STATE, &header),
        cookie,
        errno,
        reserved: 0,
    };
    record::emit(
        Ring::Event,
        kind::CONNECT_STATE,
        (&raw const state).cast(),
        size_of::<ConnectState>() as u32,
    );
    Some(())
}

/// `inet_csk_listen_start` (net/ipv4/inet_connection_sock.c) is the current process's listen(2). Where it
/// had not bound a port, one is chosen only after this, and 0 is told.
#[inline(always)]
fn listens(sock: u64) -> Option<()> {
    let entry = lineage::watched()?;
    let protocol: u16 = field!(sock, sock_protocol)?;
    // Its first part listens too, and is told.
    if u32::from(protocol) == IPPROTO_MPTCP {
        return None;
    }
    record::generated(kind::LISTEN);
    // SAFETY: the entry is a map value.
    let header = record::header(kind::LISTEN, unsafe { &*entry });
    let Some((family, address)) = own_address(sock) else {
        record::lost(kind::LISTEN);
        return None;
    };
    let port: u16 = field!(sock, sock_port).unwrap_or(0);
    let socket_type: u16 = field!(sock, sock_type).unwrap_or(0);
    let listening = Peer {
        header,
        address,
        cookie: field!(sock, sock_cookie).unwrap_or(0),
        netns: namespace(sock).unwrap_or(0),
        family,
        port: u32::from(port),
        socket_type: u32::from(socket_type),
        protocol: u32::from(protocol),
    };
    record::emit(
        Ring::Event,
        kind::LISTEN,
        (&raw const listening).cast(),
        size_of::<Peer>() as u32,
    );
    Some(())
}

/// What the socket is bound to; nothing but zeros is every address.
#[inline(always)]
fn own_address(sock: u64) -> Option<(u32, [u8; 16])> {
    let family: u16 = field!(sock, sock_family)?;
    let family = u32::from(family);
    let address = match family {
        AF_INET => {
            let [a, b, c, d]: [u8; 4] = field!(sock, sock_address)?;
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        AF_INET6 if offset!(sock_address_v6) != MISSING => field!(sock, sock_address_v6)?,
        _ => return None,
    };
    Some((family, address))
}

/// `net->net_cookie`, since 5.12: what `bpf_get_netns_cookie` gives.
#[inline(always)]
fn namespace(sock: u64) -> Option<u64> {
    if offset!(sock_net) == MISSING || offset!(net_cookie) == MISSING {
        return None;
    }
    let net: u64 = field!(sock, sock_net)?;
    field!(net, net_cookie)
}
