//! DNS messages of watched processes' sockets (RFC 1035), as far as anybody asks about them.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Text, Transport};

/// A message that a watched process's socket sent or received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// `bpf_get_socket_cookie`: one socket, for as long as the machine runs.
    pub cookie: u64,
    /// `bpf_get_netns_cookie` of the socket.
    pub netns: u64,
    pub transport: Transport,
    /// Where the question went, or the answer came from.
    pub server: SocketAddr,
    #[serde(flatten)]
    pub message: DnsMessage,
}

/// What it says. Names are lower-case, without the last dot, and not decoded from punycode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsMessage {
    pub id: u16,
    /// An answer, and not a question.
    pub response: bool,
    /// The server had more to say than fits (TC), or the probe did not see all of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// RCODE; 0 is success, 3 no such name.
    #[serde(default)]
    pub code: u8,
    /// The question; every resolver asks one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<DnsQuestion>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<DnsAnswer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsQuestion {
    pub name: Text,
    /// QTYPE: 1 A, 28 AAAA, 16 TXT, 10 NULL.
    pub kind: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswer {
    pub name: Text,
    /// Seconds.
    pub ttl: u32,
    #[serde(flatten)]
    pub data: DnsData,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsData {
    /// A, AAAA.
    Address(IpAddr),
    /// CNAME.
    Alias(Text),
    /// So many bytes of anything else.
    Other(u16),
}

/// Who is asked for names, and which are told without asking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolver {
    /// `nameserver` lines of its resolv.conf.
    pub servers: Vec<IpAddr>,
    /// Lines of its /etc/hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<(IpAddr, Vec<Text>)>,
    /// Registries and proxies that this install is configured for, and where each was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<Registry>,
}

/// A host that the package manager is told to use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Lower-case, without the last dot; or an address.
    pub host: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `npmrc /home/u/app/.npmrc`, `environment npm_config_registry`.
    pub source: Text,
}
