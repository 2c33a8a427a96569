//! Fork and exit.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use sensor_ebpf::abi::{
    kind,
    process::{Exit, Fork},
};

use crate::kernel::{
    lineage, object,
    read::field,
    record::{self, Ring},
};

/// `TP_PROTO(struct task_struct *parent, struct task_struct *child)`; BTF tracepoints since 5.5.
#[btf_tracepoint(function = "sched_process_fork")]
pub fn fork_btf(context: BtfTracePointContext) -> i32 {
    forked(context.arg::<*const u8>(1) as u64);
    0
}

/// The same arguments; raw tracepoints since 4.17.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub fn fork_raw(context: RawTracePointContext) -> i32 {
    forked(context.arg::<*const u8>(1) as u64);
    0
}

/// The child can't have run yet: the tracepoint comes before `wake_up_new_task` (kernel/fork.c).
#[inline(always)]
fn forked(child: u64) -> Option<()> {
    let pid: u32 = field!(child, task_pid)?;
    let group: u32 = field!(child, task_tgid)?;
    if pid != group {
        return None;
    }
    let start: u64 = field!(child, task_start_boottime)?;
    let (value, begins) = lineage::inheritance(pid, start)?;
    let entered = lineage::enter(pid, &value);
    if !entered {
        record::lineage_full();
    }
    if begins {
        return None;
    }
    record::generated(kind::FORK);
    let mut header = record::header(kind::FORK, &value);
    header.start = object::start(object::current())?;
    let fork = Fork {
        header,
        child_start: start,
        child_pid: pid,
        entered: entered as u32,
    };
    record::emit(
        Ring::Process,
        kind::FORK,
        (&raw const fork).cast(),
        size_of::<Fork>() as u32,
    );
    Some(())
}

/// `TP_PROTO(struct task_struct *p)`, and `bool group_dead` since 6.16, which is not used.
#[btf_tracepoint(function = "sched_process_exit")]
pub fn exit_btf(_context: BtfTracePointContext) -> i32 {
    exited();
    0
}

/// The same.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn exit_raw(_context: RawTracePointContext) -> i32 {
    exited();
    0
}

/// The exiting thread is the current one. The process ends with its last thread, whichever that is:
/// `do_exit` (kernel/exit.c) has taken this thread off `signal->live` before.
#[inline(always)]
fn exited() -> Option<()> {
    let entry = lineage::watched()?;
    let task = object::current();
    let signal: u64 = field!(task, task_signal)?;
    let live: u32 = field!(signal, signal_live)?;
    if live != 0 {
        return None;
    }
    // SAFETY: a map value.
    let entry = unsafe { *entry };
    let header = record::header(kind::EXIT, &entry);
    // Two threads can both be last; one of them removes the entry.
    if !lineage::leave(header.pid) {
        return None;
    }
    record::generated(kind::EXIT);
    let exit = Exit {
        header,
        status: field!(task, task_exit_code).unwrap_or(0),
        reserved: 0,
    };
    record::emit(
        Ring::Process,
        kind::EXIT,
        (&raw const exit).cast(),
        size_of::<Exit>() as u32,
    );
    Some(())
}
