//! Fields of kernel structs, at offsets that user space took from the running kernel's BTF.

use aya_ebpf::helpers::{
    bpf_probe_read_kernel, generated::bpf_probe_read_kernel as bpf_probe_read_kernel_to,
};
use sensor_ebpf::abi::offsets::Offsets;

/// Written by the loader, then frozen: the verifier takes each field as a constant.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::MISSING;

/// The offset of a field, read so that the compiler doesn't take the value in the object for it.
macro_rules! offset {
    ($field:ident) => {
        $crate::kernel::read::constant(&raw const $crate::kernel::read::OFFSETS.$field)
    };
}
pub(crate) use offset;

/// A constant that the loader writes into the object: volatile, so that the compiler doesn't take
/// the value in the source for it.
#[inline(always)]
pub fn constant(value: *const u32) -> u32 {
    // SAFETY: callers pass a field of a static.
    unsafe { core::ptr::read_volatile(value) }
}

/// Copies the field at `offset` of the object at `base`; `None` where that faults.
#[inline(always)]
pub fn read<T: Copy>(base: u64, offset: u32) -> Option<T> {
    let address = base.wrapping_add(u64::from(offset)) as *const T;
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(address).ok() }
}

/// Copies from there to what is no part of the stack.
#[inline(always)]
pub fn copy<T: Copy>(to: &mut T, base: u64, offset: u32) -> Option<()> {
    let address = base.wrapping_add(u64::from(offset)) as *const _;
    // SAFETY: as long as the value, which any bytes are one of; the helper checks the address.
    let failed =
        unsafe { bpf_probe_read_kernel_to((to as *mut T).cast(), size_of::<T>() as u32, address) };
    (failed == 0).then_some(())
}

/// As [`read`], with the offset taken from a field's name.
macro_rules! field {
    ($base:expr, $field:ident) => {
        $crate::kernel::read::read($base, $crate::kernel::read::offset!($field))
    };
}
pub(crate) use field;
