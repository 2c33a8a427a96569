//! Connects, datagrams and raw sockets.

use super::{Header, wire};

wire! {
    /// connect or sendmsg to an IP address, the making of a raw socket (address empty), or the
    /// beginning of listening (the socket's own address).
    pub struct Peer {
        pub header: Header,
        /// Network byte order; IPv4 in the first four bytes.
        pub address: [u8; 16],
        pub cookie: u64,
        /// `bpf_get_netns_cookie`; 0 where unknown.
        pub netns: u64,
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

wire! {
    /// The end of a TCP connect, by the state of its socket. The header's process is the one that
    /// connected it: the kernel is told by a packet or a timer.
    pub struct ConnectState {
        pub header: Header,
        pub cookie: u64,
        /// 0, or why there is no connection.
        pub errno: u32,
        pub reserved: u32,
    }
}
