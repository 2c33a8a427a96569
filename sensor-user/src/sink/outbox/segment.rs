//! One file of the spill: a head, then records one after another.
//!
//! ```text
//! head    16 bytes "pkgwarden-spill1", u64 how far it was sent
//! record  u32 length, u32 CRC-32 of the bytes, the bytes of a journal entry
//! ```
//!
//! Numbers are little-endian. A write that was cut off leaves a record whose length or checksum does
//! not hold: it is passed over and counted, those before it are whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const MAGIC: &[u8; 16] = b"pkgwarden-spill1";
/// Where the first record begins.
pub(super) const HEAD: u64 = 24;
const FRAME: usize = 8;
/// No entry is longer: an alert is at most 256 KiB and stands in its entry once, with a message and
/// indexed fields beside it.
const LONGEST: usize = 2 << 20;

/// What a file in the folder turned out to be.
pub(super) enum Found {
    /// One of ours, and how far it was sent.
    Segment(File, u64),
    /// Its making was cut off: nothing is in it.
    Stub,
    /// Another version's.
    Foreign,
}

/// Makes an empty one that only its owner may read.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut file = options().create_new(true).mode(0o600).open(path)?;
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&HEAD.to_le_bytes());
    file.write_all(&head)?;
    Ok(file)
}

pub(super) fn open(path: &Path) -> io::Result<Found> {
    let file = options().open(path)?;
    let mut head = [0; HEAD as usize];
    let length = file.metadata()?.len();
    if length < HEAD {
        return Ok(Found::Stub);
    }
    file.read_exact_at(&mut head, 0)?;
    if head[..MAGIC.len()] != *MAGIC {
        return Ok(Found::Foreign);
    }
    let mut sent = [0; 8];
    sent.copy_from_slice(&head[MAGIC.len()..]);
    Ok(Found::Segment(
        file,
        u64::from_le_bytes(sent).clamp(HEAD, length),
    ))
}

/// The state folder is ours, but a link in it would have been put there by somebody else.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC);
    options
}

/// Notes that everything before this place was sent, so that a restart does not send it again.
pub(super) fn write_sent(file: &File, sent: u64) -> io::Result<()> {
    file.write_all_at(&sent.to_le_bytes(), MAGIC.len() as u64)
}

/// How many bytes a record takes.
pub(super) fn size(entry: &[u8]) -> u64 {
    (FRAME + entry.len()) as u64
}

pub(super) fn frame(entry: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(entry.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(entry).to_le_bytes());
    out.extend_from_slice(entry);
}

/// What stands at a place of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record, and where the one after it begins.
    Record(Vec<u8>, u64),
    /// Bytes that are no record; reading may go on at that place.
    Damaged(u64),
    /// Nothing.
    End,
}

/// Reads the record at `at`; the file ends at `end`.
pub(super) fn read(file: &File, at: u64, end: u64) -> io::Result<Next> {
    if at >= end {
        return Ok(Next::End);
    }
    let mut frame = [0; FRAME];
    if end - at < FRAME as u64 {
        return Ok(Next::Damaged(end));
    }
    file.read_exact_at(&mut frame, at)?;
    let [l0, l1, l2, l3, c0, c1, c2, c3] = frame;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let after = at + (FRAME + length) as u64;
    if length == 0 || length > LONGEST || after > end {
        return Ok(Next::Damaged(end));
    }
    let mut entry = vec![0; length];
    file.read_exact_at(&mut entry, at + FRAME as u64)?;
    match crc32fast::hash(&entry) == u32::from_le_bytes([c0, c1, c2, c3]) {
        true => Ok(Next::Record(entry, after)),
        false => Ok(Next::Damaged(after)),
    }
}
