//! Where big records are put together: the stack has 512 bytes.

use aya_ebpf::{helpers::generated::bpf_get_smp_processor_id, macros::map, maps::Array};
use sensor_ebpf::abi::process::Exec;

use super::{atomic, walk::Walk};

/// Offsets into the body are masked with this, which is how the verifier knows their bound.
pub const MASK: u32 = 0xffff;

/// One CPU's work space. A plain array and not a per-CPU one, whose values stop at 32 KiB.
#[repr(C)]
pub struct Scratch {
    busy: u64,
    /// The walk under way.
    pub walk: Walk,
    /// The small record of an exec, while `body` holds the big one.
    pub exec: Exec,
    /// Twice the mask: whatever begins at a masked offset and is no longer than the mask is inside.
    pub body: [u8; 2 * (MASK as usize + 1)],
}

/// As many elements as there are CPUs; the loader sets it.
#[map]
static SCRATCH: Array<Scratch> = Array::with_max_entries(1, 0);

/// This CPU's work space.
#[inline(always)]
pub fn scratch() -> Option<*mut Scratch> {
    // SAFETY: takes nothing.
    SCRATCH.get_ptr_mut(unsafe { bpf_get_smp_processor_id() })
}

/// Runs `work` with this CPU's work space, or returns `None` if another probe has it: on kernels
/// where tracepoint programs can be preempted, that probe was.
#[inline(always)]
pub fn with(work: impl FnOnce(*mut Scratch) -> Option<()>) -> Option<()> {
    let scratch = scratch()?;
    // SAFETY: the pointer is to a map value, which lives as long as the program.
    let busy = unsafe { &raw mut (*scratch).busy };
    // SAFETY: as above, and aligned.
    if unsafe { atomic::exchange(busy, 1) } != 0 {
        return None;
    }
    let done = work(scratch);
    // SAFETY: as above.
    unsafe { atomic::exchange(busy, 0) };
    done
}

/// The value's low bits, as a bound that the verifier can see. The compiler must not: where it knows the
/// bound already it would drop the mask, and the verifier doesn't follow its reasoning.
#[inline(always)]
pub fn masked<const BITS: u32>(value: u32) -> u32 {
    let mut value = u64::from(value);
    // SAFETY: changes the register only. A real instruction and not an empty one: two entries of
    // line information for one instruction make the verifier refuse the program.
    unsafe {
        core::arch::asm!(
            "{0} &= {1}",
            inout(reg) value,
            const BITS,
            options(pure, nomem, nostack)
        );
    }
    value as u32
}

/// A length or offset inside the body.
#[inline(always)]
pub fn bounded(value: u32) -> u32 {
    masked::<MASK>(value)
}

/// The address of a byte of the body.
#[inline(always)]
pub fn at(scratch: *mut Scratch, offset: u32) -> *mut u8 {
    // SAFETY: bounded, so inside the body.
    unsafe {
        (&raw mut (*scratch).body)
            .cast::<u8>()
            .add(bounded(offset) as usize)
    }
}
