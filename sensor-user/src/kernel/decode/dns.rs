//! DNS messages (RFC 1035), out of packets that anybody may have made.
//!
//! Names are read by hickory-proto, which follows pointers backwards only. The sections around them are
//! read here, and only as far as anybody asks: a record of a type that nobody knows, or whose content is
//! wrong, must not hide the address beside it.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use sensor_ebpf::abi::dns::Packet;
use zerocopy::FromBytes;

use super::network::ip;
use super::{Record, actor, record};
use crate::event::{Body, Dns, DnsAnswer, DnsData, DnsMessage, DnsQuestion, Text, Transport};

/// IPPROTO_TCP.
const TCP: u32 = 6;

/// QR, TC and RCODE of a message's flags.
const RESPONSE: u16 = 1 << 15;
const TRUNCATED: u16 = 1 << 9;
const CODE: u16 = 0xf;

/// Class IN, and the types that are looked into.
const INTERNET: u16 = 1;
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// The messages of a packet, each an event.
pub(super) fn dns(bytes: &[u8]) -> Option<Vec<Record>> {
    let (packet, rest) = Packet::read_from_prefix(bytes).ok()?;
    let payload = rest.get(..packet.length as usize)?;
    let is_cut = packet.total > packet.length;
    let sent = packet.sent != 0;
    let transport = match packet.protocol {
        TCP => Transport::Tcp,
        _ => Transport::Udp,
    };
    // A translation on the way out shows in the packet, and is undone before the answer comes in.
    let server = match sent {
        true => address(packet.asked_family, &packet.asked, packet.asked_port)?,
        false => address(packet.peer_family, &packet.peer, packet.peer_port)?,
    };
    let parsed = match transport {
        Transport::Tcp => messages(payload, is_cut)?,
        _ => vec![message(payload, is_cut)?],
    };
    let records = parsed.into_iter().map(|message| {
        // A process that sends itself an answer is told nothing by a server.
        if message.response == sent {
            return None;
        }
        let dns = Dns {
            cookie: packet.cookie,
            netns: packet.netns,
            transport,
            server,
            message,
        };
        let body = Body::Dns {
            actor: actor(&packet.header),
            dns: Box::new(dns),
        };
        Some(record(&packet.header, body))
    });
    records.collect()
}

fn address(family: u32, address: &[u8; 16], port: u32) -> Option<SocketAddr> {
    let port = u16::try_from(port).ok()?;
    Some(SocketAddr::new(ip(family, address)?, port))
}

/// The messages of a TCP segment, each after its length.
fn messages(mut segment: &[u8], is_cut: bool) -> Option<Vec<DnsMessage>> {
    let mut messages = Vec::new();
    while !segment.is_empty() {
        let (length, rest) = segment.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let whole = rest.get(..length);
        messages.push(message(whole.or(is_cut.then_some(rest))?, whole.is_none())?);
        segment = &rest[length.min(rest.len())..];
    }
    Some(messages)
}

/// One message. Of one that is cut, what there is.
fn message(bytes: &[u8], is_cut: bool) -> Option<DnsMessage> {
    let mut reader = Reader(BinDecoder::new(bytes));
    let id = reader.u16()?;
    let flags = reader.u16()?;
    let [questions, answers] = [reader.u16()?, reader.u16()?];
    let _other_sections = [reader.u16()?, reader.u16()?];
    let mut message = DnsMessage {
        id,
        response: flags & RESPONSE != 0,
        truncated: flags & TRUNCATED != 0,
        code: (flags & CODE) as u8,
        ..DnsMessage::default()
    };
    for _ in 0..questions {
        let question = reader.question()?;
        message.question.get_or_insert(question);
    }
    for _ in 0..answers {
        match reader.answer() {
            Some(answer) => message.answers.push(answer),
            None if is_cut || message.truncated => {
                message.truncated = true;
                break;
            }
            None => return None,
        }
    }
    Some(message)
}

/// What is left of a message.
struct Reader<'m>(BinDecoder<'m>);

impl Reader<'_> {
    fn u16(&mut self) -> Option<u16> {
        self.0.read_u16().ok().map(|number| number.unverified())
    }

    fn name(&mut self) -> Option<Text> {
        Name::read(&mut self.0).ok().map(|name| text(&name))
    }

    fn question(&mut self) -> Option<DnsQuestion> {
        let name = self.name()?;
        let kind = self.u16()?;
        let _class = self.u16()?;
        Some(DnsQuestion { name, kind })
    }

    fn answer(&mut self) -> Option<DnsAnswer> {
        let name = self.name()?;
        let [kind, class] = [self.u16()?, self.u16()?];
        let ttl = self.0.read_u32().ok()?.unverified();
        let length = self.u16()?;
        let start = self.0.index();
        let data = self.0.read_slice(length.into()).ok()?.unverified();
        let data = match (class, kind) {
            (INTERNET, A) => DnsData::Address(IpAddr::from(<[u8; 4]>::try_from(data).ok()?)),
            (INTERNET, AAAA) => DnsData::Address(IpAddr::from(<[u8; 16]>::try_from(data).ok()?)),
            (INTERNET, CNAME) => {
                let mut alias = Reader(self.0.clone(u16::try_from(start).ok()?));
                let name = alias.name()?;
                if alias.0.index() != self.0.index() {
                    return None;
                }
                DnsData::Alias(name)
            }
            _ => DnsData::Other(length),
        };
        Some(DnsAnswer { name, ttl, data })
    }
}

/// Lower-case, with dots between the labels. A dot inside a label, which would pass for a boundary, is
/// written as numbers, as in a zone's file; so is a backslash.
fn text(name: &Name) -> Text {
    let mut text = Vec::with_capacity(name.len());
    for label in name.iter() {
        if !text.is_empty() {
            text.push(b'.');
        }
        for &byte in label {
            match byte {
                b'.' => text.extend(b"\\046"),
                b'\\' => text.extend(b"\\092"),
                _ => text.push(byte.to_ascii_lowercase()),
            }
        }
    }
    text.into()
}

#[cfg(test)]
mod tests;
