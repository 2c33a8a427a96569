//! Watch entries: is a name one that a rule asks for?

use aya_ebpf::{
    helpers::generated::{bpf_loop, bpf_probe_read_kernel},
    macros::map,
    maps::{Array, HashMap},
};
use sensor_ebpf::abi::watch::{AFFIX, AFFIX_LENGTHS, BUCKETS, Filter, KEY, first_byte_bit};

use super::scratch::{self, Scratch, masked};

#[map]
static FILTER: Array<Filter> = Array::with_max_entries(1, 0);

/// Whole components, by their first bytes in lower case.
#[map]
static COMPONENTS: HashMap<[u64; KEY / 8], u32> = HashMap::with_max_entries(4096, 0);

/// Ends of the last component.
#[map]
static SUFFIXES: HashMap<[u64; AFFIX / 8], u32> = HashMap::with_max_entries(1024, 0);

/// Beginnings of the last component.
#[map]
static PREFIXES: HashMap<[u64; AFFIX / 8], u32> = HashMap::with_max_entries(1024, 0);

/// ASCII lower case of eight bytes at once.
#[inline(always)]
fn lower(bytes: u64) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let low = bytes & !HIGH;
    // Adding carries into a byte's high bit from 'A' (0x41) and from past 'Z' (0x5b).
    let from_a = low + 0x3f3f_3f3f_3f3f_3f3f;
    let past_z = low + 0x2525_2525_2525_2525;
    bytes | ((from_a ^ past_z) & !bytes & HIGH) >> 2
}

/// The first `length` bytes (at most `8 * N`) at an offset of the scratch body, in lower case,
/// zero-padded.
///
/// They are read into twice the room, and the length is masked with `MASK`, its last byte: 6.1 follows
/// a mask but not a minimum.
#[inline(always)]
fn key<const N: usize, const MASK: u32>(
    bytes: &mut [[u64; N]; 2],
    scratch: *mut Scratch,
    offset: u32,
    length: u32,
) -> bool {
    const { assert!(MASK as usize == 16 * N - 1) };
    let length = masked::<MASK>(length.min(8 * N as u32));
    let name = scratch::at(scratch, offset);
    // SAFETY: the length is less than the room, and the name is in the body.
    let failed = unsafe { bpf_probe_read_kernel(bytes.as_mut_ptr().cast(), length, name.cast()) };
    for word in &mut bytes[0] {
        *word = lower(*word);
    }
    failed == 0
}

const COMPONENT_MASK: u32 = 2 * KEY as u32 - 1;
const AFFIX_MASK: u32 = 2 * AFFIX as u32 - 1;

/// Operations wanted whatever the path.
#[inline(always)]
pub fn any() -> u32 {
    FILTER.get(0).map_or(0, |filter| filter.any)
}

/// Operations that some entry wants on a path with this component, which lies at an offset of the
/// scratch body.
#[inline(always)]
pub fn operations(offset: u32, length: u32, last: bool) -> u32 {
    let wanted = whole_component(offset, length);
    if last {
        wanted | affixes(offset, length)
    } else {
        wanted
    }
}

// The two halves are global functions, with numbers for arguments: the verifier then looks at each
// once, and not again for every call in every state of the caller (since 5.6).

#[unsafe(no_mangle)]
#[inline(never)]
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "by value the key is copied, and the stack is short"
)]
extern "C" fn whole_component(offset: u32, length: u32) -> u32 {
    let (Some(filter), Some(scratch)) = (FILTER.get(0), scratch::scratch()) else {
        return 0;
    };
    // SAFETY: inside the body.
    let first = unsafe { *scratch::at(scratch, offset) };
    let bucket = masked::<{ BUCKETS as u32 - 1 }>(length.min(KEY as u32)) as usize;
    // SAFETY: masked, so inside the array.
    let first_bytes = unsafe { *filter.first_byte.as_ptr().add(bucket) };
    if first_bytes & first_byte_bit(first) == 0 {
        return 0;
    }
    let mut bytes = [[0; KEY / 8]; 2];
    if !key::<_, COMPONENT_MASK>(&mut bytes, scratch, offset, length) {
        return 0;
    }
    // SAFETY: a map value.
    COMPONENTS
        .get_ptr(&bytes[0])
        .map_or(0, |operations| unsafe { *operations })
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn affixes(offset: u32, length: u32) -> u32 {
    let mut asked = Affixes {
        offset,
        length,
        wanted: 0,
    };
    // SAFETY: the callback has the signature that bpf_loop wants, and the state outlives it.
    unsafe {
        bpf_loop(
            2 * AFFIX_LENGTHS as u32,
            affix as *mut _,
            (&raw mut asked).cast(),
            0,
        )
    };
    asked.wanted
}

#[repr(C)]
struct Affixes {
    offset: u32,
    length: u32,
    wanted: u32,
}

/// One step of `bpf_loop`: one length of suffix, then of prefix. Not a plain loop: unrolled, its
/// branches multiply, and the verifier of 6.1 goes through them all. One key at a time, since this is
/// the deepest frame of the longest chain, and all share 512 bytes.
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "by value the key is copied, and the stack is short"
)]
unsafe extern "C" fn affix(index: u64, asked: *mut Affixes) -> i64 {
    // SAFETY: `affixes` passes its state.
    let asked = unsafe { &mut *asked };
    let (Some(filter), Some(scratch)) = (FILTER.get(0), scratch::scratch()) else {
        return 1;
    };
    let is_suffix = index < AFFIX_LENGTHS as u64;
    let lengths = if is_suffix {
        filter.suffix_lengths.as_ptr()
    } else {
        filter.prefix_lengths.as_ptr()
    };
    let slot = masked::<{ AFFIX_LENGTHS as u32 - 1 }>(index as u32) as usize;
    // SAFETY: masked, so inside the array.
    let affix = unsafe { *lengths.add(slot) };
    if affix == 0 || affix > asked.length {
        return 0;
    }
    let before = if is_suffix { asked.length - affix } else { 0 };
    let mut bytes = [[0; AFFIX / 8]; 2];
    if !key::<_, AFFIX_MASK>(&mut bytes, scratch, asked.offset + before, affix) {
        return 0;
    }
    let found = if is_suffix {
        SUFFIXES.get_ptr(&bytes[0])
    } else {
        PREFIXES.get_ptr(&bytes[0])
    };
    if let Some(operations) = found {
        // SAFETY: a map value.
        asked.wanted |= unsafe { *operations };
    }
    0
}
