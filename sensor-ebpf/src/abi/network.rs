//! Connects, datagrams and raw sockets.

use super::{Header, wire};

wire! {
    /// connect or sendmsg to an IP address, or the making of a raw socket (address empty).
    pub struct Peer {
        pub header: Header,
        /// Network byte order; IPv4 in the first four bytes.
        pub address: [u8; 16],
        pub cookie: u64,
        /// AF_INET, AF_INET6, AF_PACKET.
        pub family: u32,
        /// Host byte order.
        pub port: u32,
        /// SOCK_STREAM, SOCK_DGRAM, SOCK_RAW.
        pub socket_type: u32,
        /// IPPROTO_*.
        pub protocol: u32,
    }
}

/// `struct sockaddr_un`.
pub const SOCKADDR: usize = 112;

wire! {
    /// The end of a connect syscall, with the address as the process passed it.
    pub struct ConnectExit {
        pub header: Header,
        pub errno: u32,
        /// Bytes used of `sockaddr`.
        pub length: u32,
        pub sockaddr: [u8; SOCKADDR],
    }
}
