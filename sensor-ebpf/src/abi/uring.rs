//! Requests by io_uring.

use super::{Header, wire};

wire! {
    /// Followed by the path argument, where the request has one.
    pub struct Uring {
        pub header: Header,
        /// IORING_OP_*.
        pub opcode: u32,
        pub argument: u32,
    }
}

/// `enum io_uring_op` (uapi, stable since each was added).
pub mod opcode {
    pub const SENDMSG: u8 = 9;
    pub const CONNECT: u8 = 16;
    pub const OPENAT: u8 = 18;
    pub const SEND: u8 = 26;
    pub const OPENAT2: u8 = 28;
    pub const RENAMEAT: u8 = 35;
    pub const UNLINKAT: u8 = 36;
    pub const SYMLINKAT: u8 = 38;
    pub const LINKAT: u8 = 39;
    pub const SOCKET: u8 = 45;
    pub const SEND_ZC: u8 = 47;
    pub const SENDMSG_ZC: u8 = 48;
}
