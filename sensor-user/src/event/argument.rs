//! Argument lists as the kernel keeps them.

use super::Text;

/// Splits the bytes of an argument list; where its middle is missing, `…` stands in one argument.
pub fn arguments(head: &[u8], tail: &[u8], truncated: bool) -> Vec<Text> {
    let mut list = head.to_vec();
    if truncated {
        list.extend("…".as_bytes());
        list.extend(tail);
    }
    let list = list.strip_suffix(b"\0").unwrap_or(&list);
    if list.is_empty() {
        return Vec::new();
    }
    list.split(|&b| b == 0).map(Text::from).collect()
}
