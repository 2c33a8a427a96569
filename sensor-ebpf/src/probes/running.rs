//! Processes that run already, for the daemon's start: /proc tells their start in ticks of 10 ms, and
//! the lineage set compares nanoseconds.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use sensor_ebpf::abi::process::Running;

use crate::kernel::{object, read::field};

/// `struct bpf_iter_meta` (include/linux/bpf.h), whose first member is the sequence file.
#[repr(C)]
struct Meta {
    file: *mut c_void,
}

/// `struct bpf_iter__task` (kernel/bpf/task_iter.c, since 5.8): once for each task, and once more with
/// none at the end.
#[repr(C)]
pub struct Step {
    meta: *const Meta,
    task: *const c_void,
}

/// `bpf_iter_task(struct bpf_iter_meta *meta, struct task_struct *task)`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub fn running(step: *const Step) -> i32 {
    // SAFETY: the kernel passes it, and the verifier knows its members.
    let (meta, task) = unsafe { ((*step).meta, (*step).task) };
    tell(meta, task as u64);
    0
}

#[inline(always)]
fn tell(meta: *const Meta, task: u64) -> Option<()> {
    if task == 0 {
        return None;
    }
    let pid: u32 = field!(task, task_pid)?;
    let group: u32 = field!(task, task_tgid)?;
    if pid != group {
        return None;
    }
    let parent: u64 = field!(task, task_real_parent)?;
    let running = Running {
        start: field!(task, task_start_boottime)?,
        parent_start: object::start(parent)?,
        pid,
        parent_pid: field!(parent, task_tgid)?,
    };
    // SAFETY: the file is the kernel's own; the record is readable for its length.
    unsafe {
        bpf_seq_write(
            (*meta).file.cast(),
            (&raw const running).cast(),
            size_of::<Running>() as u32,
        );
    }
    Some(())
}
