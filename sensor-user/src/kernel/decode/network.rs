//! Peers and sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sensor_ebpf::abi::{kind, network};
use zerocopy::FromBytes;

use super::{Record, actor, record};
use crate::event::{Body, Observed, Socket, Text, Transport};

pub(super) fn peer_body(kind: u32, peer: &network::Peer) -> Option<Body> {
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
        netns: peer.netns,
        observed: Observed::Kernel,
    };
    Some(match kind {
        kind::SEND => Body::Send { actor, socket },
        kind::LISTEN => Body::Listen { actor, socket },
        _ => Body::Connect { actor, socket },
    })
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
pub(super) const AF_INET6: u16 = 10;

pub(super) fn ip(family: u32, address: &[u8; 16]) -> Option<IpAddr> {
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

pub(super) fn connect_exit(bytes: &[u8], connects: bool) -> Option<Vec<Record>> {
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
        netns: 0,
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
        cookie: 0,
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
