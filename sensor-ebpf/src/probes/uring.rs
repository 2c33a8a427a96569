//! Requests by io_uring, which pass the syscall tracepoints by.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use sensor_ebpf::abi::{
    kind,
    offsets::MISSING,
    uring::{Uring, opcode},
};

use super::AT_REMOVEDIR;
use crate::kernel::{
    argument, lineage,
    read::{field, offset},
    record::{self, Ring},
    scratch,
};

/// `TP_PROTO(struct io_kiocb *req)`, since 6.3.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn uring_req_btf(context: BtfTracePointContext) -> i32 {
    submitted(context.arg::<*const u8>(0) as u64);
    0
}

/// `TP_PROTO(struct io_kiocb *req, bool force_nonblock)`, from 6.0 to 6.2.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn uring_sqe_btf(context: BtfTracePointContext) -> i32 {
    submitted(context.arg::<*const u8>(0) as u64);
    0
}

/// As the BTF one.
#[raw_tracepoint(tracepoint = "io_uring_submit_req")]
pub fn uring_req_raw(context: RawTracePointContext) -> i32 {
    submitted(context.arg::<*const u8>(0) as u64);
    0
}

/// As the BTF one.
#[raw_tracepoint(tracepoint = "io_uring_submit_sqe")]
pub fn uring_sqe_raw(context: RawTracePointContext) -> i32 {
    submitted(context.arg::<*const u8>(0) as u64);
    0
}

/// The request is prepared: a path is the kernel's own copy already (`io_init_req`,
/// io_uring/io_uring.c).
#[inline(always)]
fn submitted(request: u64) -> Option<()> {
    let entry = lineage::watched()?;
    let opcode: u8 = field!(request, uring_opcode)?;
    let filename: Option<u64> = match opcode {
        opcode::OPENAT | opcode::OPENAT2 => command_field(request, offset!(uring_open_filename)),
        opcode::RENAMEAT => command_field(request, offset!(uring_rename_new)),
        opcode::UNLINKAT if removes_folder(request) => return None,
        opcode::UNLINKAT => command_field(request, offset!(uring_unlink_filename)),
        opcode::CONNECT
        | opcode::SEND
        | opcode::SENDMSG
        | opcode::SEND_ZC
        | opcode::SENDMSG_ZC
        | opcode::SOCKET
        | opcode::SYMLINKAT
        | opcode::LINKAT => None,
        _ => return None,
    };
    record::generated(kind::URING);
    // SAFETY: a map value.
    let header = record::header(kind::URING, unsafe { &*entry });
    let done = scratch::with(|scratch| {
        let start = size_of::<Uring>() as u32;
        let name = filename.and_then(|filename| {
            let name: u64 = field!(filename, filename_name)?;
            argument::copy_kernel(scratch, name, start)
        });
        let argument = name.unwrap_or(0);
        let record = scratch::at(scratch, 0).cast::<Uring>();
        // SAFETY: the body begins with room for it, aligned.
        unsafe {
            *record = Uring {
                header,
                opcode: u32::from(opcode),
                argument,
            }
        };
        let length = scratch::bounded(start + argument);
        record::emit(Ring::Event, kind::URING, record.cast(), length);
        Some(())
    });
    if done.is_none() {
        record::lost(kind::URING);
    }
    Some(())
}

/// A field of the part of the request that belongs to its operation.
#[inline(always)]
fn command_field<T: Copy>(request: u64, offset: u32) -> Option<T> {
    if offset == MISSING {
        return None;
    }
    field!(request.wrapping_add(u64::from(offset)), uring_command)
}

#[inline(always)]
fn removes_folder(request: u64) -> bool {
    let flags: Option<u32> = command_field(request, offset!(uring_unlink_flags));
    flags.is_some_and(|flags| flags & AT_REMOVEDIR != 0)
}
