//! The special-purpose address registries as data. The first entry that holds an address decides.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Class;

const fn a(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// Network, prefix length, class.
pub(super) const V4: &[(Ipv4Addr, u32, Class)] = &[
    // Metadata services: most clouds; Azure's wire server; Alibaba; Oracle; Amazon's of tasks.
    (a(169, 254, 169, 254), 32, Class::Metadata),
    (a(168, 63, 129, 16), 32, Class::Metadata),
    (a(100, 100, 100, 200), 32, Class::Metadata),
    (a(192, 0, 0, 192), 32, Class::Metadata),
    (a(169, 254, 170, 2), 32, Class::Metadata),
    (a(169, 254, 170, 23), 32, Class::Metadata),
    (a(169, 254, 0, 23), 32, Class::Metadata),
    // RFC 791: this host on this network.
    (a(0, 0, 0, 0), 32, Class::Unspecified),
    (a(0, 0, 0, 0), 8, Class::Reserved),
    (a(127, 0, 0, 0), 8, Class::Loopback),
    (a(10, 0, 0, 0), 8, Class::Private),
    (a(172, 16, 0, 0), 12, Class::Private),
    (a(192, 168, 0, 0), 16, Class::Private),
    // RFC 6598: shared between a carrier and its customers.
    (a(100, 64, 0, 0), 10, Class::Private),
    (a(169, 254, 0, 0), 16, Class::LinkLocal),
    // RFC 7723, RFC 8155: globally reachable anycast inside 192.0.0.0/24.
    (a(192, 0, 0, 9), 32, Class::Public),
    (a(192, 0, 0, 10), 32, Class::Public),
    (a(192, 0, 0, 0), 24, Class::Reserved),
    (a(192, 0, 2, 0), 24, Class::Documentation),
    (a(198, 51, 100, 0), 24, Class::Documentation),
    (a(203, 0, 113, 0), 24, Class::Documentation),
    (a(198, 18, 0, 0), 15, Class::Benchmarking),
    // RFC 7526: the withdrawn 6to4 relay.
    (a(192, 88, 99, 0), 24, Class::Reserved),
    (a(224, 0, 0, 0), 4, Class::Multicast),
    (a(255, 255, 255, 255), 32, Class::Broadcast),
    (a(240, 0, 0, 0), 4, Class::Reserved),
];

const fn s(segments: [u16; 8]) -> Ipv6Addr {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Addr::new(a, b, c, d, e, f, g, h)
}

/// Network, prefix length, class. Addresses that wrap an IPv4 one are decided before.
pub(super) const V6: &[(Ipv6Addr, u32, Class)] = &[
    // Amazon's instance, task and time addresses; Google's.
    (
        s([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254]),
        128,
        Class::Metadata,
    ),
    (
        s([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023]),
        128,
        Class::Metadata,
    ),
    (
        s([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254]),
        128,
        Class::Metadata,
    ),
    (s([0, 0, 0, 0, 0, 0, 0, 0]), 128, Class::Unspecified),
    (s([0, 0, 0, 0, 0, 0, 0, 1]), 128, Class::Loopback),
    // RFC 8215: translation inside one network.
    (s([0x64, 0xff9b, 1, 0, 0, 0, 0, 0]), 48, Class::Private),
    (s([0x100, 0, 0, 0, 0, 0, 0, 0]), 64, Class::Reserved),
    (s([0x100, 0, 0, 1, 0, 0, 0, 0]), 64, Class::Reserved),
    // Inside 2001::/23, globally reachable: port control and TURN anycast, AMT, AS112, ORCHIDv2,
    // remote identification.
    (s([0x2001, 1, 0, 0, 0, 0, 0, 1]), 128, Class::Public),
    (s([0x2001, 1, 0, 0, 0, 0, 0, 2]), 128, Class::Public),
    (s([0x2001, 1, 0, 0, 0, 0, 0, 3]), 128, Class::Public),
    (s([0x2001, 3, 0, 0, 0, 0, 0, 0]), 32, Class::Public),
    (s([0x2001, 4, 0x112, 0, 0, 0, 0, 0]), 48, Class::Public),
    (s([0x2001, 0x20, 0, 0, 0, 0, 0, 0]), 28, Class::Public),
    (s([0x2001, 0x30, 0, 0, 0, 0, 0, 0]), 28, Class::Public),
    // Teredo reaches the internet through relays.
    (s([0x2001, 0, 0, 0, 0, 0, 0, 0]), 32, Class::Public),
    (s([0x2001, 2, 0, 0, 0, 0, 0, 0]), 48, Class::Benchmarking),
    (s([0x2001, 0, 0, 0, 0, 0, 0, 0]), 23, Class::Reserved),
    (
        s([0x2001, 0x0db8, 0, 0, 0, 0, 0, 0]),
        32,
        Class::Documentation,
    ),
    (s([0x3fff, 0, 0, 0, 0, 0, 0, 0]), 20, Class::Documentation),
    // RFC 9602: segment routing identifiers.
    (s([0x5f00, 0, 0, 0, 0, 0, 0, 0]), 16, Class::Reserved),
    (s([0xfc00, 0, 0, 0, 0, 0, 0, 0]), 7, Class::Private),
    (s([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, Class::LinkLocal),
    // RFC 3879: deprecated, still local to a site.
    (s([0xfec0, 0, 0, 0, 0, 0, 0, 0]), 10, Class::Private),
    (s([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, Class::Multicast),
    // Global unicast is 2000::/3; the rest is set aside.
    (s([0x2000, 0, 0, 0, 0, 0, 0, 0]), 3, Class::Public),
    (s([0, 0, 0, 0, 0, 0, 0, 0]), 1, Class::Reserved),
    (s([0x8000, 0, 0, 0, 0, 0, 0, 0]), 1, Class::Reserved),
];
