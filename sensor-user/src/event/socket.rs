//! Where a socket leads.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Observed, Text};

/// The peer of a connect or a datagram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    pub transport: Transport,
    /// Absent for AF_UNIX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Host byte order; 0 for AF_UNIX.
    #[serde(default)]
    pub port: u16,
    /// AF_UNIX only; an abstract name begins with `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Text>,
    /// `bpf_get_socket_cookie`; 0 where unknown.
    #[serde(default)]
    pub cookie: u64,
    /// `bpf_get_netns_cookie`; 0 where unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub netns: u64,
    #[serde(default)]
    pub observed: Observed,
}

pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Tcp,
    Udp,
    Unix,
    Raw,
    Other,
}
