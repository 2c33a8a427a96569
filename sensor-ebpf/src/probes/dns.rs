//! DNS messages of sockets that watched processes asked from.
//!
//! The packet tells nobody's process, so the connect and datagram hooks leave word with the socket's
//! cookie. They run for every packet of the machine: one of a socket that is not remembered costs a lookup,
//! and nothing while none is.
//! They can be preempted, so a message is put together in the ring and not in the scratch.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_get_socket_cookie, bpf_skb_load_bytes},
    macros::{cgroup_skb, cgroup_sock},
    programs::{SkBuffContext, SockContext},
};
use sensor_ebpf::abi::{
    dns::{MAX, Packet},
    kind,
};

use super::{AF_INET, AF_INET6, ALLOW};
use crate::kernel::{
    record,
    scratch::masked,
    socket::{self, Asked},
};

const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;

/// How many messages a segment may hold: glibc asks for both kinds of address at once.
const MESSAGES_MAX: u32 = 4;
/// How many IPv6 extension headers are stepped over.
const EXTENSIONS_MAX: u32 = 4;

/// `BPF_CGROUP_INET_EGRESS`, since 4.10: after the address translation of the way out (`ip_finish_output`,
/// net/ipv4/ip_output.c) and before a fragmentation.
#[cgroup_skb(egress)]
pub fn dns_egress(context: SkBuffContext) -> i32 {
    packet(&context, true);
    ALLOW
}

/// `BPF_CGROUP_INET_INGRESS`, since 4.10: when the packet is put to its socket, reassembled
/// (`sk_filter_trim_cap`, net/core/filter.c).
#[cgroup_skb(ingress)]
pub fn dns_ingress(context: SkBuffContext) -> i32 {
    packet(&context, false);
    ALLOW
}

/// `BPF_CGROUP_INET_SOCK_RELEASE`, since 5.9: the last descriptor of a socket was closed.
#[cgroup_sock(sock_release)]
pub fn dns_release(context: SockContext) -> i32 {
    // SAFETY: the context is the socket.
    socket::hushes(unsafe { bpf_get_socket_cookie(context.sock.cast()) });
    ALLOW
}

#[inline(always)]
fn packet(context: &SkBuffContext, sent: bool) -> Option<()> {
    let skb = context.skb.skb;
    // SAFETY: the context is the packet.
    let (cookie, asked) = socket::asked(|| unsafe { bpf_get_socket_cookie(skb.cast()) })?;
    let Some(layout) = layout(skb, sent) else {
        record::generated(kind::DNS);
        record::lost(kind::DNS);
        return None;
    };
    // SAFETY: a field of the context.
    let total = unsafe { (*skb).len }.wrapping_sub(layout.payload);
    // Nothing but an acknowledgement, or the like.
    if total as i32 <= 0 {
        return None;
    }
    record::generated(kind::DNS);
    if layout.protocol == u32::from(IPPROTO_TCP) && !is_whole(skb, layout.payload, total) {
        // Whoever answers could have the next segment begin in the middle, with what looks like another
        // message: from here on nothing of this socket is believed.
        socket::turns(cookie, 0);
        record::lost(kind::DNS);
        return None;
    }
    // SAFETY: a map value.
    let packet = unsafe { describe(&*asked, cookie, &layout, sent, total) };
    // What most questions need, what most answers need, and all.
    if total <= 128 {
        copy::<128, 127>(skb, &packet, layout.payload);
    } else if total <= 512 {
        copy::<512, 511>(skb, &packet, layout.payload);
    } else {
        copy::<MAX, { MAX as u32 - 1 }>(skb, &packet, layout.payload);
    }
    Some(())
}

#[inline(always)]
fn describe(asked: &Asked, cookie: u64, layout: &Layout, sent: bool, total: u32) -> Packet {
    Packet {
        header: record::again(kind::DNS, &asked.header),
        cookie,
        netns: asked.netns,
        asked: asked.address,
        peer: layout.peer,
        asked_family: asked.family,
        asked_port: asked.port,
        peer_family: layout.family,
        peer_port: layout.port,
        protocol: layout.protocol,
        sent: sent as u32,
        length: total.min(MAX as u32),
        total,
    }
}

/// The record in the ring. Bytes of the payload that are not written hold an earlier record's, which
/// nobody but the sensor reads.
#[repr(C)]
struct Record<const SIZE: usize> {
    packet: Packet,
    payload: [u8; SIZE],
}

/// Copies the payload, of which there is something, behind `packet`. `BITS` is `SIZE` less one, and all of
/// its low bits are set.
#[inline(always)]
fn copy<const SIZE: usize, const BITS: u32>(skb: *mut __sk_buff, packet: &Packet, from: u32) {
    record::place::<Record<SIZE>>(kind::DNS, |record| {
        let length = masked::<BITS>(packet.length - 1) + 1;
        // SAFETY: the record has room for both; the mask keeps the length in the payload.
        unsafe {
            (*record).packet = *packet;
            let payload = (&raw mut (*record).payload).cast();
            bpf_skb_load_bytes(skb.cast(), from, payload, length) == 0
        }
    });
}

/// Where things are in a packet.
struct Layout {
    family: u32,
    /// IPPROTO_*.
    protocol: u32,
    /// The other end of the packet.
    peer: [u8; 16],
    port: u32,
    /// Where the payload begins.
    payload: u32,
}

/// Reads the headers, from the network header on. `None` for what is not whole.
#[inline(always)]
fn layout(skb: *mut __sk_buff, sent: bool) -> Option<Layout> {
    let first: u8 = load(skb, 0)?;
    let (family, protocol, peer, transport) = match first >> 4 {
        4 => {
            let header: [u8; 20] = load(skb, 0)?;
            let fragment = u16::from_be_bytes([header[6], header[7]]);
            // Only the first of several has ports (RFC 791).
            if fragment & 0x1fff != 0 {
                return None;
            }
            let mut peer = [0; 16];
            let at = if sent { 16 } else { 12 };
            peer[0] = header[at];
            peer[1] = header[at + 1];
            peer[2] = header[at + 2];
            peer[3] = header[at + 3];
            (AF_INET, header[9], peer, u32::from(first & 0xf) * 4)
        }
        6 => {
            let next: u8 = load(skb, 6)?;
            let peer: [u8; 16] = load(skb, if sent { 24 } else { 8 })?;
            let (protocol, transport) = skip_extensions(skb, next)?;
            (AF_INET6, protocol, peer, transport)
        }
        _ => return None,
    };
    // Both kinds begin with the two ports.
    let ports: [u8; 4] = load(skb, transport)?;
    let port = if sent {
        [ports[2], ports[3]]
    } else {
        [ports[0], ports[1]]
    };
    let header = match protocol {
        IPPROTO_UDP => 8,
        IPPROTO_TCP => {
            let offset: u8 = load(skb, transport + 12)?;
            u32::from(offset >> 4) * 4
        }
        _ => return None,
    };
    Some(Layout {
        family,
        protocol: u32::from(protocol),
        peer,
        port: u32::from(u16::from_be_bytes(port)),
        payload: transport + header,
    })
}

/// Whether a segment holds whole messages and nothing else, each after its length (RFC 1035, 4.2.2).
#[inline(always)]
fn is_whole(skb: *mut __sk_buff, payload: u32, total: u32) -> bool {
    let mut at = 0;
    for _ in 0..MESSAGES_MAX {
        let Some(length) = load::<[u8; 2]>(skb, payload + at) else {
            return false;
        };
        at += 2 + u32::from(u16::from_be_bytes(length));
        if at >= total {
            break;
        }
    }
    at == total
}

/// The protocol after the extension headers, and where it begins. Those that may stand here are hop-by-hop
/// options, routing and destination options, with their length in units of eight bytes (RFC 8200).
#[inline(always)]
fn skip_extensions(skb: *mut __sk_buff, first: u8) -> Option<(u8, u32)> {
    let (mut next, mut at) = (first, 40);
    for _ in 0..EXTENSIONS_MAX {
        if !matches!(next, 0 | 43 | 60) {
            return Some((next, at));
        }
        let [following, length]: [u8; 2] = load(skb, at)?;
        next = following;
        at += (u32::from(length) + 1) * 8;
    }
    Some((next, at))
}

/// Part of the packet.
#[inline(always)]
fn load<T: Copy>(skb: *mut __sk_buff, offset: u32) -> Option<T> {
    let mut part = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes all of it, or fails.
    unsafe {
        let failed = bpf_skb_load_bytes(
            skb.cast(),
            offset,
            part.as_mut_ptr().cast(),
            size_of::<T>() as u32,
        );
        (failed == 0).then(|| part.assume_init())
    }
}
