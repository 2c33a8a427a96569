//! Atomic operations on map values.
//!
//! Rust 1.96 says of the BPF target that it has none, although the machine does (`-Ctarget-cpu=v3`);
//! the intrinsics and the assembler both need an unstable feature, and the assembler's syntax has
//! not changed since the instructions exist. Use `AtomicU64::fetch_add` once the target has it.

use core::arch::asm;

/// Adds to a counter and returns what it was.
///
/// # Safety
///
/// `cell` is an aligned part of a map value.
#[inline(always)]
pub unsafe fn fetch_add(cell: *mut u64, value: u64) -> u64 {
    let mut operand = value;
    // SAFETY: by the caller; the instruction touches the eight bytes at `cell` only.
    unsafe {
        asm!("{0} = atomic_fetch_add((u64 *)({1} + 0), {0})", inout(reg) operand, in(reg) cell);
    }
    operand
}

/// Replaces a value and returns what it was.
///
/// # Safety
///
/// As [`fetch_add`].
#[inline(always)]
pub unsafe fn exchange(cell: *mut u64, value: u64) -> u64 {
    let mut operand = value;
    // SAFETY: by the caller; the instruction touches the eight bytes at `cell` only.
    unsafe {
        asm!("{0} = xchg_64({1} + 0, {0})", inout(reg) operand, in(reg) cell);
    }
    operand
}
