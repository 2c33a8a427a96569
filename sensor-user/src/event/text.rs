//! Bytes that came from watched code: paths, arguments, environment.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A byte string that the kernel copied from, or on behalf of, a watched process.
///
/// It may hold anything but NUL. Serialized it is UTF-8 with every byte that is not part of a valid
/// sequence as `\xHH` (lower case) and every backslash doubled, so that two different byte strings
/// never look the same and reading it back gives the same bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Vec<u8>);

impl Text {
    /// The bytes as they were.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For matching: the text itself where it is UTF-8, otherwise with U+FFFD in the place of what
    /// is not.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// No bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What follows the last `/`, or all of it.
    pub fn basename(&self) -> &[u8] {
        let start = self
            .0
            .iter()
            .rposition(|&b| b == b'/')
            .map_or(0, |at| at + 1);
        &self.0[start..]
    }

    /// The text, where it is its own serialized form: nearly always.
    fn as_plain(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.0).ok()?;
        (!text.contains('\\')).then_some(text)
    }

    /// The serialized form; see the type's description.
    pub fn escaped(&self) -> String {
        if let Some(plain) = self.as_plain() {
            return plain.to_owned();
        }
        let mut out = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c == '\\' {
                    out.push('\\');
                }
                out.push(c);
            }
            for byte in chunk.invalid() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        }
        out
    }

    /// Reads the serialized form back.
    pub fn unescape(escaped: &str) -> Result<Self, BadEscape> {
        if !escaped.contains('\\') {
            return Ok(Self(escaped.as_bytes().to_vec()));
        }
        let mut out = Vec::with_capacity(escaped.len());
        let mut rest = escaped.as_bytes();
        while let Some((&byte, tail)) = rest.split_first() {
            rest = match (byte, tail) {
                (b'\\', [b'\\', tail @ ..]) => {
                    out.push(b'\\');
                    tail
                }
                (b'\\', [b'x', high, low, tail @ ..]) => {
                    out.push(hex(*high)? << 4 | hex(*low)?);
                    tail
                }
                (b'\\', _) => return Err(BadEscape),
                _ => {
                    out.push(byte);
                    tail
                }
            };
        }
        Ok(Self(out))
    }
}

fn hex(digit: u8) -> Result<u8, BadEscape> {
    (digit as char)
        .to_digit(16)
        .map(|d| d as u8)
        .ok_or(BadEscape)
}

/// A backslash that starts neither `\\` nor `\xHH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a backslash in a recorded text must be followed by another one or by xHH")]
pub struct BadEscape;

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_str_lossy())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_plain() {
            Some(plain) => serializer.serialize_str(plain),
            None => serializer.serialize_str(&self.escaped()),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Escaped)
    }
}

/// Takes the serialized form without keeping it.
struct Escaped;

impl de::Visitor<'_> for Escaped {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, escaped: &str) -> Result<Text, E> {
        Text::unescape(escaped).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn escaping_and_back_gives_the_same_bytes(bytes: Vec<u8>) {
            let text = Text::from(bytes);
            prop_assert_eq!(Text::unescape(&text.escaped()).unwrap(), text);
        }
    }

    #[test]
    fn what_is_not_utf8_is_hex_and_a_backslash_is_doubled() {
        assert_eq!(
            Text::from(&b"a\xff\\x\xc3\xa9"[..]).escaped(),
            "a\\xff\\\\xé"
        );
    }
}
