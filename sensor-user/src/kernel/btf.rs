//! Offsets of struct members, from a BTF blob.
//!
//! The format is `Documentation/bpf/btf.rst`: a header, a section of types that refer to each other
//! by number, a section of strings. aya reads it too but does not show members.

use std::collections::HashMap;

use thiserror::Error;

/// Why an offset can't be told.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BtfError {
    /// Not BTF, or cut.
    #[error("the kernel's type information is damaged at byte {0}")]
    Damaged(usize),
    /// No struct of that name has the member.
    #[error("the kernel has no struct {structure} with a member {member}")]
    Unknown {
        /// The struct.
        structure: String,
        /// The member.
        member: String,
    },
    /// The member is a bit field.
    #[error("member {0} is a bit field, which has no byte offset")]
    BitField(String),
}

const MAGIC: u16 = 0xeb9f;
const HEADER: usize = 24;
const TYPE: usize = 12;
const MEMBER: usize = 12;

const PTR: u32 = 2;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const FORWARD: u32 = 7;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC: u32 = 12;
const TYPE_TAG: u32 = 18;

/// How deep members and modifiers may nest, so that a damaged blob can't loop.
const DEPTH: u32 = 32;

/// What programs are attached by: typedefs of tracepoints, and functions of iterators.
pub(super) const ATTACHED: &[&str] = &["btf_trace_", "bpf_iter_"];

/// A parsed blob.
pub(super) struct Btf<'a> {
    blob: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins; type 0 is void.
    types: Vec<u32>,
    structures: HashMap<&'a [u8], Vec<u32>>,
}

/// One `struct btf_type`.
#[derive(Clone, Copy)]
struct Type {
    at: usize,
    kind: u32,
    members: usize,
    bit_fields: bool,
    /// Size, or the number of the type it refers to.
    refers: u32,
}

impl<'a> Btf<'a> {
    pub(super) fn parse(blob: &'a [u8]) -> Result<Self, BtfError> {
        if u16_at(blob, 0)? != MAGIC {
            return Err(BtfError::Damaged(0));
        }
        let header = u32_at(blob, 4)? as usize;
        let section = |at: usize| -> Result<(usize, usize), BtfError> {
            let start = header.checked_add(u32_at(blob, at)? as usize);
            let length = u32_at(blob, at + 4)? as usize;
            let start = start
                .filter(|_| header >= HEADER)
                .ok_or(BtfError::Damaged(at))?;
            let end = start.checked_add(length).filter(|&end| end <= blob.len());
            Ok((start, end.ok_or(BtfError::Damaged(at))?))
        };
        let (types_start, types_end) = section(8)?;
        let (strings_start, strings_end) = section(16)?;
        let mut btf = Btf {
            blob: &blob[..types_end],
            strings: &blob[strings_start..strings_end],
            types: vec![0],
            structures: HashMap::new(),
        };
        let mut at = types_start;
        while at < types_end {
            let ty = btf.read_type(at as u32)?;
            let number = btf.types.len() as u32;
            btf.types.push(at as u32);
            if ty.kind == STRUCT {
                let name = btf.string(u32_at(btf.blob, at)?)?;
                btf.structures.entry(name).or_default().push(number);
            }
            at += TYPE + extra(ty).ok_or(BtfError::Damaged(at))?;
        }
        Ok(btf)
    }

    /// A blob with the same types by the same numbers, of which only functions and typedefs whose name
    /// begins so have anything to them: enough to attach programs by, and a fraction of the memory to
    /// read with a reader that keeps all members.
    pub(super) fn pruned(&self, prefixes: &[&str]) -> Result<Vec<u8>, BtfError> {
        let mut strings = vec![0];
        let mut types = Vec::with_capacity(self.types.len() * TYPE);
        // Type 0 is not written down.
        for &at in &self.types[1..] {
            let ty = self.read_type(at)?;
            let name = self.string(u32_at(self.blob, at as usize)?)?;
            let kept = matches!(ty.kind, FUNC | TYPEDEF)
                && prefixes
                    .iter()
                    .any(|prefix| name.starts_with(prefix.as_bytes()));
            let words = if kept {
                let at = strings.len() as u32;
                strings.extend_from_slice(name);
                strings.push(0);
                [at, ty.kind << 24, ty.refers]
            } else {
                [0, FORWARD << 24, 0]
            };
            types.extend(words.into_iter().flat_map(u32::to_le_bytes));
        }
        let lengths = [types.len() as u32, strings.len() as u32];
        let mut blob = Vec::with_capacity(HEADER + types.len() + strings.len());
        blob.extend(MAGIC.to_le_bytes());
        blob.extend([1, 0]);
        for word in [HEADER as u32, 0, lengths[0], lengths[0], lengths[1]] {
            blob.extend(word.to_le_bytes());
        }
        blob.append(&mut types);
        blob.append(&mut strings);
        Ok(blob)
    }

    /// Byte offset of a member; a dot goes into a member's own struct, and anonymous members are
    /// looked through.
    pub(super) fn offset(&self, structure: &str, member: &str) -> Result<u32, BtfError> {
        let candidates = self.structures.get(structure.as_bytes());
        for &number in candidates.into_iter().flatten() {
            if let Some(offset) = self.path(number, member)? {
                return Ok(offset);
            }
        }
        Err(BtfError::Unknown {
            structure: structure.into(),
            member: member.into(),
        })
    }

    fn path(&self, number: u32, path: &str) -> Result<Option<u32>, BtfError> {
        let mut number = number;
        let mut offset = 0u32;
        for name in path.split('.') {
            match self.member(number, name, 0)? {
                Some((at, inside)) => {
                    offset = offset.checked_add(at).ok_or(BtfError::Damaged(0))?;
                    number = inside;
                }
                None => return Ok(None),
            }
        }
        Ok(Some(offset))
    }

    /// The member's byte offset and type.
    fn member(&self, number: u32, name: &str, depth: u32) -> Result<Option<(u32, u32)>, BtfError> {
        let ty = self.resolve(number)?;
        if depth > DEPTH || !matches!(ty.kind, STRUCT | UNION) {
            return Ok(None);
        }
        for index in 0..ty.members {
            let at = ty.at + TYPE + index * MEMBER;
            let member_name = self.string(u32_at(self.blob, at)?)?;
            let member_type = u32_at(self.blob, at + 4)?;
            let raw = u32_at(self.blob, at + 8)?;
            let (bits, width) = if ty.bit_fields {
                (raw & 0xff_ffff, raw >> 24)
            } else {
                (raw, 0)
            };
            if member_name == name.as_bytes() {
                if width != 0 || bits % 8 != 0 {
                    return Err(BtfError::BitField(name.into()));
                }
                return Ok(Some((bits / 8, member_type)));
            }
            if member_name.is_empty()
                && let Some((inner, inside)) = self.member(member_type, name, depth + 1)?
            {
                return Ok(Some((bits / 8 + inner, inside)));
            }
        }
        Ok(None)
    }

    /// The type itself, behind typedefs and qualifiers.
    fn resolve(&self, number: u32) -> Result<Type, BtfError> {
        let mut number = number;
        for _ in 0..DEPTH {
            let at = self
                .types
                .get(number as usize)
                .ok_or(BtfError::Damaged(0))?;
            let ty = self.read_type(*at)?;
            match ty.kind {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => number = ty.refers,
                _ => return Ok(ty),
            }
        }
        Err(BtfError::Damaged(0))
    }

    fn read_type(&self, at: u32) -> Result<Type, BtfError> {
        let at = at as usize;
        let info = u32_at(self.blob, at + 4)?;
        Ok(Type {
            at,
            kind: info >> 24 & 0x1f,
            members: (info & 0xffff) as usize,
            bit_fields: info >> 31 != 0,
            refers: u32_at(self.blob, at + 8)?,
        })
    }

    fn string(&self, at: u32) -> Result<&'a [u8], BtfError> {
        let tail = self
            .strings
            .get(at as usize..)
            .ok_or(BtfError::Damaged(at as usize))?;
        let end = tail
            .iter()
            .position(|&b| b == 0)
            .ok_or(BtfError::Damaged(at as usize))?;
        Ok(&tail[..end])
    }
}

/// Bytes that follow a type's twelve; `None` for a kind that does not exist (yet).
fn extra(ty: Type) -> Option<usize> {
    Some(match ty.kind {
        1 | 14 | 17 => 4,
        3 => 12,
        STRUCT | UNION | 15 | 19 => ty.members * 12,
        6 | 13 => ty.members * 8,
        PTR | 7..=12 | 16 | TYPE_TAG => 0,
        _ => return None,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, BtfError> {
    let end = at.checked_add(2).ok_or(BtfError::Damaged(at))?;
    let bytes = bytes.get(at..end).ok_or(BtfError::Damaged(at))?;
    Ok(u16::from_le_bytes(bytes.try_into().expect("two bytes")))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    let end = at.checked_add(4).ok_or(BtfError::Damaged(at))?;
    let bytes = bytes.get(at..end).ok_or(BtfError::Damaged(at))?;
    Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn running() -> Option<Vec<u8>> {
        fs::read("/sys/kernel/btf/vmlinux").ok()
    }

    /// Every member of every struct that has a name of its own and whole bytes.
    #[test]
    fn offsets_agree_with_bpftool() {
        let dump = Command::new("bpftool")
            .args([
                "btf",
                "dump",
                "file",
                "/sys/kernel/btf/vmlinux",
                "format",
                "raw",
            ])
            .output();
        let (Some(blob), Ok(dump)) = (running(), dump) else {
            eprintln!("SKIP offsets_agree_with_bpftool: no BTF or no bpftool here");
            return;
        };
        let btf = Btf::parse(&blob).unwrap();
        let dump = String::from_utf8_lossy(&dump.stdout);
        let quoted = |line: &str| line.split('\'').nth(1).map(str::to_owned);
        let mut structure = None;
        let mut compared = 0;
        for line in dump.lines() {
            if line.starts_with('[') {
                // A second struct of the same name may differ; which one is meant can't be told.
                structure = line
                    .contains("] STRUCT ")
                    .then(|| quoted(line))
                    .flatten()
                    .filter(|name| {
                        btf.structures
                            .get(name.as_bytes())
                            .is_some_and(|all| all.len() == 1)
                    });
                continue;
            }
            let (Some(structure), Some(member)) = (&structure, quoted(line)) else {
                continue;
            };
            if line.contains("bitfield_size") || member == "(anon)" {
                continue;
            }
            let bits = line.split("bits_offset=").nth(1).unwrap();
            let bits: u32 = bits.split_whitespace().next().unwrap().parse().unwrap();
            let offset = btf.offset(structure, &member);
            assert_eq!(offset, Ok(bits / 8), "struct {structure}, member {member}");
            compared += 1;
        }
        assert!(compared > 10_000, "only {compared} members compared");
    }

    #[test]
    fn a_member_of_an_anonymous_union_and_of_an_inner_struct_is_found() {
        let Some(blob) = running() else {
            eprintln!("SKIP a_member_of_an_anonymous_union…: no BTF here");
            return;
        };
        let btf = Btf::parse(&blob).unwrap();
        let path = btf.offset("file", "f_path").unwrap();
        assert_eq!(btf.offset("file", "f_path.mnt"), Ok(path));
        assert_eq!(btf.offset("file", "f_path.dentry"), Ok(path + 8));
        assert!(matches!(
            btf.offset("file", "no_such"),
            Err(BtfError::Unknown { .. })
        ));
    }

    #[test]
    fn a_pruned_blob_numbers_what_it_keeps_as_the_whole_one_does() {
        let Some(blob) = running() else {
            eprintln!("SKIP a_pruned_blob_numbers_what_it_keeps…: no BTF here");
            return;
        };
        let pruned = Btf::parse(&blob).unwrap().pruned(ATTACHED).unwrap();
        assert!(pruned.len() * 2 < blob.len(), "{} bytes", pruned.len());
        aya::Btf::parse(&pruned, aya::Endianness::default()).unwrap();
        let [whole, pruned] = [&blob, &pruned].map(|blob| Btf::parse(blob).unwrap());
        let number = |btf: &Btf<'_>, name: &str, kind: u32| {
            btf.types[1..].iter().position(|&at| {
                let ty = btf.read_type(at).unwrap();
                let known = btf.string(u32_at(btf.blob, ty.at).unwrap()).unwrap();
                ty.kind == kind && known == name.as_bytes()
            })
        };
        for (name, kind) in [
            ("btf_trace_sched_process_exec", TYPEDEF),
            ("btf_trace_sched_process_fork", TYPEDEF),
            ("bpf_iter_task", FUNC),
        ] {
            let expected = number(&whole, name, kind);
            assert!(expected.is_some(), "{name}");
            assert_eq!(number(&pruned, name, kind), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn damaged_blobs_are_refused_and_never_panic(mut bytes: Vec<u8>, types: u16, strings: u16) {
            let mut blob = vec![0x9f, 0xeb, 1, 0, 24, 0, 0, 0];
            for word in [0, u32::from(types), u32::from(types), u32::from(strings)] {
                blob.extend(word.to_le_bytes());
            }
            blob.append(&mut bytes);
            if let Ok(btf) = Btf::parse(&blob) {
                let _ = btf.offset("", "x");
                let _ = btf.pruned(&["a"]);
            }
        }
    }
}
