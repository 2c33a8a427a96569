//! The eBPF programs: what the kernel does for pkgwarden.
//!
//! Each probe asks first whether the current process is in the lineage set and is done if not. What
//! it reports it reads from kernel objects; what it drops, it counts.

#![no_std]
#![no_main]
// For the assembler in `kernel::atomic`.
#![feature(asm_experimental_arch)]
#![expect(unreachable_pub, reason = "nothing outside can reach into a program")]

mod kernel;
mod probes;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // Never reached: a bounds check that survives to here makes the verifier refuse the program.
    loop {}
}

/// Most helpers used are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
