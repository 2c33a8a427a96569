//! Watch entries: which files are reported.
//!
//! Names are compared in ASCII lower case, because Sigma's are, and by their first [`KEY`] bytes.

use super::wire;

/// Bytes of a component that are compared.
pub const KEY: usize = 32;

/// Bytes of a suffix or prefix of the last component.
pub const AFFIX: usize = 16;

/// Different lengths of suffix, and of prefix, that can be watched for.
pub const AFFIX_LENGTHS: usize = 8;

/// Elements of [`Filter::first_byte`]: more than [`KEY`], and a power of two for the verifier.
pub const BUCKETS: usize = 64;

wire! {
    /// What is checked before any map is asked. One element, replaced whole when rules change.
    pub struct Filter {
        /// Operations that are reported whatever the path.
        pub any: u32,
        pub reserved: u32,
        /// By length of the component ([`KEY`] stands for all that are longer): a bit for the low six
        /// bits of its first byte, in lower case.
        pub first_byte: [u64; BUCKETS],
        /// Lengths in use; 0 ends the list.
        pub suffix_lengths: [u32; AFFIX_LENGTHS],
        pub prefix_lengths: [u32; AFFIX_LENGTHS],
    }
}

/// The low six bits of a byte's ASCII lower case: the bit's number in [`Filter::first_byte`].
pub fn first_byte_bit(byte: u8) -> u64 {
    1 << (lower(byte) & 63)
}

/// ASCII lower case.
pub fn lower(byte: u8) -> u8 {
    if byte.is_ascii_uppercase() {
        byte | 0x20
    } else {
        byte
    }
}
