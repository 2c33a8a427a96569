//! One line of a segment: `<crc32 of the JSON, 8 hex digits> <JSON>`.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

use super::Entry;
use crate::alert::escape;

/// The format that this version writes and reads.
pub(super) const FORMAT: &str = "pkgwarden.state/1";

/// What every format of the store is called, up to its number.
const FAMILY: &str = "pkgwarden.state/";

/// Longer ones are not ours: an alert has at most 256 KiB.
pub(super) const LINE_BYTES: usize = 8 << 20;

/// A first line is shorter.
pub(super) const HEADER_BYTES: u64 = 512;

/// The first line of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    /// CLOCK_REALTIME in nanoseconds.
    pub(super) begun: i64,
    /// The latest time of an entry in any segment before this one: who looks for later ones need not
    /// look there. Not the begin of this one, for the clock may have been set.
    pub(super) latest: Option<i64>,
}

/// What the first line of a segment says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    Ours(Header),
    Future(String),
    Damaged,
}

/// Adds the line of a JSON text.
pub(super) fn encode(json: &str, out: &mut Vec<u8>) {
    let sum = crc32fast::hash(json.as_bytes());
    // Writing to a vector does not fail.
    let _ = writeln!(out, "{sum:08x} {json}");
}

/// Adds the line of an entry.
pub(super) fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    // Harmless also to who looks at the file in a terminal.
    encode(&escape::json(entry), out);
}

/// The JSON of a line without its end, if its checksum is right.
pub(super) fn decode(line: &[u8]) -> Option<&[u8]> {
    let (sum, json) = line.split_at_checked(8)?;
    let json = json.strip_prefix(b" ")?;
    let digits = str::from_utf8(sum).ok()?;
    let is_hex = digits
        .bytes()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let sum = u32::from_str_radix(digits, 16).ok()?;
    (is_hex && sum == crc32fast::hash(json)).then_some(json)
}

/// Reads a segment's first line, without its end.
pub(super) fn first(line: &[u8]) -> First {
    let Some(json) = decode(line) else {
        return First::Damaged;
    };
    #[derive(Deserialize)]
    struct Format {
        format: String,
    }
    match serde_json::from_slice::<Format>(json) {
        Ok(Format { format }) if format == FORMAT => {
            serde_json::from_slice(json).map_or(First::Damaged, First::Ours)
        }
        Ok(Format { format }) if format.starts_with(FAMILY) => First::Future(format),
        _ => First::Damaged,
    }
}

/// What of an entry can be told from the beginning of its JSON, without reading it all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) owner: u32,
    pub(super) at: i64,
    pub(super) kind: Kind,
}

/// Which record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Alert,
    Suppressed,
    Health,
    Session,
}

/// The head, if it stands as [`encode_entry`] writes it.
pub(super) fn head(json: &[u8]) -> Option<Head> {
    let rest = json.strip_prefix(br#"{"owner":"#)?;
    let (owner, rest) = number(rest)?;
    let rest = rest.strip_prefix(br#","at":"#)?;
    let (at, rest) = number(rest)?;
    let rest = rest.strip_prefix(br#","record":{""#)?;
    let name = rest.split(|&byte| byte == b'"').next()?;
    let kind = match name {
        b"alert" => Kind::Alert,
        b"suppressed" => Kind::Suppressed,
        b"health" => Kind::Health,
        b"session" => Kind::Session,
        _ => return None,
    };
    Some(Head {
        owner: owner.try_into().ok()?,
        at,
        kind,
    })
}

fn number(text: &[u8]) -> Option<(i64, &[u8])> {
    let end = text.iter().position(|&byte| byte == b',')?;
    let (digits, rest) = text.split_at(end);
    Some((str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::*;
    use crate::alert::sample;

    #[test]
    fn the_head_is_told_without_reading_the_rest() {
        let records = [
            (Record::Alert(Box::new(sample::postinstall())), Kind::Alert),
            (
                Record::Suppressed(Box::new(sample::callback())),
                Kind::Suppressed,
            ),
            (Record::Health(Box::new(sample::health())), Kind::Health),
            (Record::Session(Box::new(sample::report())), Kind::Session),
        ];
        for (record, kind) in records {
            let entry = Entry {
                owner: 1001,
                at: -5,
                record,
            };
            let mut line = Vec::new();
            encode_entry(&entry, &mut line);
            let json = decode(line.strip_suffix(b"\n").unwrap()).unwrap();
            let expected = Head {
                owner: 1001,
                at: -5,
                kind,
            };
            assert_eq!(head(json), Some(expected));
            assert_eq!(serde_json::from_slice::<Entry>(json).unwrap(), entry);
        }
    }

    #[test]
    fn a_line_with_another_checksum_or_none_is_damaged() {
        let mut line = Vec::new();
        encode("{}", &mut line);
        assert_eq!(decode(line.trim_ascii_end()), Some(&b"{}"[..]));
        for text in ["", "00000000", "+0000000 {}", "00000000 {}", "{}"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_a_whole_first_line_of_a_later_version_is_the_future() {
        let line = |json: &str| {
            let mut line = Vec::new();
            encode(json, &mut line);
            line.trim_ascii_end().to_vec()
        };
        assert_eq!(
            first(&line(r#"{"format":"pkgwarden.state/2","more":1}"#)),
            First::Future("pkgwarden.state/2".into())
        );
        assert_eq!(first(&line(r#"{"format":"x"}"#)), First::Damaged);
        assert_eq!(
            first(br#"00000000 {"format":"pkgwarden.state/2"}"#),
            First::Damaged
        );
    }
}
