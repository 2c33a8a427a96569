//! One file per kind of event. Every program says which kernel hook it is on, what that hook passes,
//! and since when.

mod dns;
mod exec;
mod file;
mod name;
mod network;
mod process;
mod running;
mod state;
mod uring;

/// The verdict of a cgroup program.
const ALLOW: i32 = 1;

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// `trace_event_raw_sys_exit`: eight bytes of common fields, the syscall's number, its result.
const SYSCALL_NUMBER: usize = 8;
const SYSCALL_RESULT: usize = 16;

/// Results below this are the kernel's own (`ERESTARTSYS` and its kin): the call will be made again.
const LAST_ERRNO: i64 = -512;

/// x86-64 syscall numbers (arch/x86/entry/syscalls/syscall_64.tbl). One program serves all calls of a
/// kind, since the verifier looks at each program anew; the number tells where the arguments are.
mod syscall {
    pub const OPEN: u32 = 2;
    pub const RENAME: u32 = 82;
    pub const CREAT: u32 = 85;
    pub const LINK: u32 = 86;
    pub const UNLINK: u32 = 87;
    pub const SYMLINK: u32 = 88;
    pub const CHMOD: u32 = 90;
    pub const FCHMOD: u32 = 91;
    pub const OPENAT: u32 = 257;
    pub const SYMLINKAT: u32 = 266;
    pub const EXECVEAT: u32 = 322;
}

/// Which syscall ended, and with what; `None` if it has not really ended.
#[inline(always)]
fn ended(context: &aya_ebpf::programs::TracePointContext) -> Option<(u32, i64)> {
    // SAFETY: both fields are there in every syscall exit tracepoint.
    let (number, result): (u32, i64) = unsafe {
        (
            context.read_at(SYSCALL_NUMBER).ok()?,
            context.read_at(SYSCALL_RESULT).ok()?,
        )
    };
    (result > LAST_ERRNO).then_some((number, result))
}

/// unlinkat takes a folder away (uapi/linux/fcntl.h).
const AT_REMOVEDIR: u32 = 0x200;

/// A result as an errno; 0 for success.
#[inline(always)]
fn errno(result: i64) -> u32 {
    if result < 0 { -result as u32 } else { 0 }
}
