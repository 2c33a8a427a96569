//! One file per kind of event. Every program says which kernel hook it is on, what that hook passes,
//! and since when.

mod exec;
mod file;
mod network;
mod process;
mod uring;

/// `trace_event_raw_sys_exit`: eight bytes of common fields, the syscall's number, its result.
const SYSCALL_RESULT: usize = 16;

/// Results below this are the kernel's own (`ERESTARTSYS` and its kin): the call will be made again.
const LAST_ERRNO: i64 = -512;

/// What a syscall returned, at its exit tracepoint; `None` if it has not really ended.
#[inline(always)]
fn result(context: &aya_ebpf::programs::TracePointContext) -> Option<i64> {
    // SAFETY: the field is there in every syscall exit tracepoint.
    let result: i64 = unsafe { context.read_at(SYSCALL_RESULT) }.ok()?;
    (result > LAST_ERRNO).then_some(result)
}

/// A result as an errno; 0 for success.
#[inline(always)]
fn errno(result: i64) -> u32 {
    if result < 0 { -result as u32 } else { 0 }
}
