//! DNS messages, as they were in the packet.

use super::{Header, wire};

/// Where servers are asked.
pub const PORT: u32 = 53;

/// Bytes of a message that are kept: what resolvers agree on (1,232) and what an Ethernet frame holds
/// fit, and the verifier wants powers of two.
pub const MAX: usize = 2048;

wire! {
    /// Followed by `length` bytes of the payload, and by bytes that mean nothing.
    ///
    /// The header's process is the one that connected the socket or sent from it last: a packet that
    /// comes in belongs to no process.
    pub struct Packet {
        pub header: Header,
        pub cookie: u64,
        /// `bpf_get_netns_cookie` of the socket.
        pub netns: u64,
        /// The server that the process asked, as in [`super::network::Peer`].
        pub asked: [u8; 16],
        /// The packet's other end, which a translation of addresses on the way out may have changed.
        pub peer: [u8; 16],
        pub asked_family: u32,
        pub asked_port: u32,
        pub peer_family: u32,
        pub peer_port: u32,
        /// IPPROTO_UDP, IPPROTO_TCP.
        pub protocol: u32,
        /// 1 on the way out.
        pub sent: u32,
        /// Bytes of payload here.
        pub length: u32,
        /// Bytes of payload in the packet.
        pub total: u32,
    }
}
