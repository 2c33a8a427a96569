//! What an address is, and what it is called. Nothing is resolved here: names are what watched
//! processes were told by answers that count.
//!
//! The class that rules see as `DestinationClass` is from the IANA special-purpose address registries
//! for IPv4 and IPv6 (RFC 6890 and its updates) and the cloud providers' published metadata addresses.

mod channel;
mod hiding;
mod host;
mod location;
mod questions;
mod ranges;
mod resolvers;
mod table;
mod trust;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use channel::{Channel, Shape, kind as question_kind};
pub use hiding::{PublicResolvers, Unseen, may_resolve};
pub use host::{Suffixes, from_person, from_wire};
pub use location::{host as host_of, origin};
pub use questions::{Question, Questions, addresses};
pub use resolvers::{Configured, Resolvers, Responders};
pub use table::{Known, Table};
pub use trust::{BadTrust, Trust};

/// What kind of peer an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Anywhere on the internet.
    Public,
    /// RFC 1918, unique local, and carriers' shared space.
    Private,
    /// This host.
    Loopback,
    /// This link.
    LinkLocal,
    /// A cloud's instance metadata service: credentials for the asking.
    Metadata,
    /// Set aside for examples; never routed.
    Documentation,
    /// Set aside for measuring network devices.
    Benchmarking,
    /// Many receivers.
    Multicast,
    /// All receivers of a link.
    Broadcast,
    /// `0.0.0.0`, `::`: Linux takes it for this host.
    Unspecified,
    /// Set aside otherwise; not on the internet.
    Reserved,
    /// A socket in the file system or an abstract one.
    Unix,
}

impl Class {
    /// As rules and alerts spell it.
    pub fn name(self) -> &'static str {
        match self {
            Class::Public => "public",
            Class::Private => "private",
            Class::Loopback => "loopback",
            Class::LinkLocal => "linklocal",
            Class::Metadata => "metadata",
            Class::Documentation => "documentation",
            Class::Benchmarking => "benchmarking",
            Class::Multicast => "multicast",
            Class::Broadcast => "broadcast",
            Class::Unspecified => "unspecified",
            Class::Reserved => "reserved",
            Class::Unix => "unix",
        }
    }
}

/// The class of an address. An IPv6 address that only wraps an IPv4 one (mapped, the well-known
/// NAT64 prefix, 6to4) has the class of what it wraps.
pub fn classify(ip: IpAddr) -> Class {
    match ip {
        IpAddr::V4(ip) => v4(ip),
        IpAddr::V6(ip) => v6(ip),
    }
}

/// The address that is really meant: a v4-mapped one without its wrapping.
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

fn v4(ip: Ipv4Addr) -> Class {
    ranges::V4
        .iter()
        .find(|entry| in_v4(ip, entry.0, entry.1))
        .map_or(Class::Public, |entry| entry.2)
}

fn in_v4(ip: Ipv4Addr, network: Ipv4Addr, length: u32) -> bool {
    let shift = 32 - length;
    length == 0 || ip.to_bits() >> shift == network.to_bits() >> shift
}

fn v6(ip: Ipv6Addr) -> Class {
    if let Some(inner) = wrapped(ip) {
        return v4(inner);
    }
    ranges::V6
        .iter()
        .find(|entry| {
            let shift = 128 - entry.1;
            ip.to_bits() >> shift == entry.0.to_bits() >> shift
        })
        .map_or(Class::Public, |entry| entry.2)
}

fn wrapped(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = |bits: u128| Ipv4Addr::from_bits(bits as u32);
    let bits = ip.to_bits();
    match ip.segments() {
        // RFC 4291, 2.5.5.2
        [0, 0, 0, 0, 0, 0xffff, ..] => Some(low(bits)),
        // RFC 6052
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(low(bits)),
        // RFC 3056
        [0x2002, ..] => Some(low(bits >> 80)),
        _ => None,
    }
}
