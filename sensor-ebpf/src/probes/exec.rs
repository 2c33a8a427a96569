//! A program was started, or that failed.

use aya_ebpf::{
    helpers::generated::{
        bpf_loop, bpf_probe_read_kernel, bpf_probe_read_user, bpf_probe_read_user_str,
    },
    macros::{btf_tracepoint, map, raw_tracepoint, tracepoint},
    maps::HashMap,
    programs::{BtfTracePointContext, RawTracePointContext, TracePointContext},
};
use sensor_ebpf::abi::{
    exec::{ARGUMENT_PART, ENVIRONMENT_MAX, ExecDetail, VARIABLE_KEY},
    file::Named,
    kind,
    path::TRUNCATED,
    process::{DELETED, Exec, MEMFD, TAIL},
};

use super::{ended, errno, syscall};
use crate::kernel::{
    argument, lineage, object,
    read::{field, offset},
    record::{self, Ring},
    scratch::{self, Scratch},
    walk::{Ask, Walked, walk},
};

/// Names of the variables that are wanted, by their first bytes, zero-padded.
#[map]
static VARIABLES: HashMap<[u64; VARIABLE_KEY / 8], u32> = HashMap::with_max_entries(256, 0);

/// `TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`: the new memory is in
/// place (`exec_binprm`, fs/exec.c), so everything is what will run.
#[btf_tracepoint(function = "sched_process_exec")]
pub fn exec_btf(context: BtfTracePointContext) -> i32 {
    executed(context.arg::<*const u8>(2) as u64);
    0
}

/// The same arguments.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn exec_raw(context: RawTracePointContext) -> i32 {
    executed(context.arg::<*const u8>(2) as u64);
    0
}

#[inline(always)]
fn executed(binprm: u64) -> Option<()> {
    let task = object::current();
    let memory: u64 = field!(task, task_mm)?;
    let file: u64 = field!(memory, mm_exe_file)?;
    let entry = lineage::watched_or_entering(|| basename(file))?;
    // SAFETY: a map value.
    unsafe { (*entry).module = 0 };
    record::generated(kind::EXEC);
    record::generated(kind::EXEC_DETAIL);
    let done = scratch::with(|scratch| {
        // SAFETY: this CPU's own scratch, and a map value.
        unsafe { (*scratch).exec.header = record::header(kind::EXEC, &*entry) };
        let path = walk(
            scratch,
            object::file_path(file)?,
            size_of::<ExecDetail>() as u32,
            Ask::Nothing,
        );
        small(scratch, task, file);
        if detail(scratch, task, memory, binprm, &path).is_none() {
            record::lost(kind::EXEC_DETAIL);
        }
        Some(())
    });
    if done.is_none() {
        record::lost(kind::EXEC);
        record::lost(kind::EXEC_DETAIL);
    }
    Some(())
}

/// The first bytes of the executable's name.
#[inline(always)]
fn basename(file: u64) -> Option<[u8; 32]> {
    let path = object::file_path(file)?;
    let [hash_and_length, name]: [u64; 2] = field!(path.dentry, dentry_name)?;
    let length = ((hash_and_length >> 32) as u32).min(32);
    let mut basename = [0u8; 32];
    // SAFETY: at most 32 bytes; the helper checks the source.
    let failed =
        unsafe { bpf_probe_read_kernel(basename.as_mut_ptr().cast(), length, name as *const _) };
    (failed == 0).then_some(basename)
}

/// Puts the small record together and sends it. The path is in the body already.
#[inline(always)]
fn small(scratch: *mut Scratch, task: u64, file: u64) {
    // SAFETY: this CPU's own scratch.
    let exec = unsafe { &mut (*scratch).exec };
    let inode: u64 = field!(file, file_inode).unwrap_or(0);
    exec.inode = field!(inode, inode_number).unwrap_or(0);
    exec.owner = field!(inode, inode_uid).unwrap_or(0);
    exec.mode = field::<u16>(inode, offset!(inode_mode));
    let links: u32 = field!(inode, inode_links).unwrap_or(1);
    exec.flags = if links == 0 { DELETED } else { 0 };
    if let Some(path) = object::file_path(file) {
        let folder: u64 = field!(path.dentry, dentry_parent).unwrap_or(0);
        let folder: u64 = field!(folder, dentry_inode).unwrap_or(0);
        exec.directory_owner = field!(folder, inode_uid).unwrap_or(0);
        exec.directory_mode = field::<u16>(folder, offset!(inode_mode));
        // Mounts that only the kernel holds have an error pointer for a namespace
        // (MNT_NS_INTERNAL, fs/mount.h). memfd_create names its file in one of those.
        let mount = path.mount.wrapping_sub(u64::from(offset!(mount_vfsmount)));
        let namespace: u64 = field!(mount, mount_namespace).unwrap_or(0);
        // SAFETY: inside the body.
        let name =
            unsafe { *scratch::at(scratch, size_of::<ExecDetail>() as u32).cast::<[u8; 6]>() };
        if namespace as i64 >= -4095 && (namespace as i64) < 0 && name == *b"memfd:" {
            exec.flags |= MEMFD;
        }
    }
    let parent: u64 = field!(task, task_real_parent).unwrap_or(0);
    exec.parent_pid = field!(parent, task_tgid).unwrap_or(0);
    exec.tail_length = TAIL as u32;
    // SAFETY: both ends are this CPU's own scratch.
    unsafe {
        bpf_probe_read_kernel(
            exec.tail.as_mut_ptr().cast(),
            TAIL as u32,
            scratch::at(scratch, size_of::<ExecDetail>() as u32).cast(),
        );
    }
    record::emit(
        Ring::Process,
        kind::EXEC,
        (&raw const *exec).cast(),
        size_of::<Exec>() as u32,
    );
}

/// An `umode_t`, 0 where it can't be read.
#[inline(always)]
fn field<T: Copy + Into<u32>>(base: u64, offset: u32) -> u32 {
    crate::kernel::read::read::<T>(base, offset).map_or(0, Into::into)
}

/// Puts the big record together and sends it.
#[inline(always)]
fn detail(
    scratch: *mut Scratch,
    task: u64,
    memory: u64,
    binprm: u64,
    executable: &Walked,
) -> Option<()> {
    let mut at = size_of::<ExecDetail>() as u32 + executable.length;
    let folder = walk(scratch, object::working_directory(task)?, at, Ask::Nothing);
    at += folder.length;
    let filename: u64 = field!(binprm, bprm_filename)?;
    let requested = argument::copy_kernel(scratch, filename, at).unwrap_or(0);
    at += requested;

    let first: u64 = field!(memory, mm_arg_start)?;
    let last: u64 = field!(memory, mm_arg_end)?;
    let total = last.wrapping_sub(first);
    let (mut head, mut tail) = (total.min(2 * ARGUMENT_PART as u64) as u32, 0);
    if total > 2 * ARGUMENT_PART as u64 {
        head = ARGUMENT_PART as u32;
        tail = ARGUMENT_PART as u32;
    }
    if !copy_user(scratch, at, first, head) {
        (head, tail) = (TRUNCATED, 0);
    }
    at += head & !TRUNCATED;
    if tail != 0 && !copy_user(scratch, at, last - ARGUMENT_PART as u64, tail) {
        tail = 0;
    }
    at += tail;

    let mut variables = Variables {
        next: field!(memory, mm_env_start)?,
        end: field!(memory, mm_env_end)?,
        at,
        limit: at + ENVIRONMENT_MAX as u32,
        inside: 0,
        truncated: 0,
    };
    // SAFETY: the callback has the signature that bpf_loop wants, and the state outlives it.
    let steps = unsafe {
        bpf_loop(
            VARIABLES_MAX,
            variable as *mut _,
            (&raw mut variables).cast(),
            0,
        )
    };
    if steps >= i64::from(VARIABLES_MAX) {
        variables.truncated = TRUNCATED;
    }
    let environment = variables.at - at;

    let record = scratch::at(scratch, 0).cast::<ExecDetail>();
    // SAFETY: the body begins with room for it, aligned.
    unsafe {
        (*record).header = (*scratch).exec.header;
        (*record).header.kind = kind::EXEC_DETAIL;
        (*record).executable = executable.section;
        (*record).working_directory = folder.section;
        (*record).requested = requested;
        (*record).arguments_head = head;
        (*record).arguments_tail = tail;
        (*record).environment = environment | variables.truncated;
        (*record).arguments_total = total;
    }
    let length = scratch::bounded(variables.at);
    record::emit(Ring::Event, kind::EXEC_DETAIL, record.cast(), length);
    Some(())
}

/// Copies a range of the new program's own memory. The kernel has just written it, so it is there.
#[inline(always)]
fn copy_user(scratch: *mut Scratch, at: u32, from: u64, length: u32) -> bool {
    let target = scratch::at(scratch, at);
    // SAFETY: at most twice ARGUMENT_PART, inside the body; the helper checks the source.
    unsafe { bpf_probe_read_user(target.cast(), scratch::bounded(length), from as *const _) == 0 }
}

/// Variables, and pieces of long ones, that are looked at.
const VARIABLES_MAX: u32 = 16_384;

/// Bytes of a variable that are read at a time.
const PIECE: u32 = 4096;

#[repr(C)]
struct Variables {
    /// User address of the next variable.
    next: u64,
    end: u64,
    /// Where the next kept one goes in the body.
    at: u32,
    limit: u32,
    /// `next` is inside a variable longer than a piece.
    inside: u32,
    truncated: u32,
}

/// One step of `bpf_loop`: one variable, or one piece of a long one.
unsafe extern "C" fn variable(_index: u64, variables: *mut Variables) -> i64 {
    // SAFETY: `detail` passes its state.
    let variables = unsafe { &mut *variables };
    if variables.next >= variables.end {
        return 1;
    }
    let Some(scratch) = scratch::scratch() else {
        return 1;
    };
    let target = scratch::at(scratch, variables.at);
    // SAFETY: inside the body; the helper checks the source.
    let copied =
        unsafe { bpf_probe_read_user_str(target.cast(), PIECE, variables.next as *const _) };
    if copied <= 0 {
        variables.truncated = TRUNCATED;
        return 1;
    }
    let copied = copied as u32;
    // A full piece may have no end yet: what follows belongs to the same variable.
    let whole = copied < PIECE;
    let begins = variables.inside == 0;
    variables.next += u64::from(if whole { copied } else { PIECE - 1 });
    variables.inside = !whole as u32;
    if begins && wanted(target) {
        if !whole || variables.at + copied > variables.limit {
            variables.truncated = TRUNCATED;
        } else {
            variables.at += copied;
        }
    }
    0
}

/// Whether the variable at an address inside the body is on the list. By arithmetic and not byte by
/// byte: the machine has no conditional move, so every comparison doubles the verifier's paths.
#[inline(always)]
fn wanted(name: *const u8) -> bool {
    // SAFETY: the body has room behind every offset.
    let [first, second] = unsafe { core::ptr::read_unaligned(name.cast::<[u64; 2]>()) };
    let keep = before_equals(first);
    let all = keep == u64::MAX;
    let key = [
        first & keep,
        if all {
            second & before_equals(second)
        } else {
            0
        },
    ];
    VARIABLES.get_ptr(key).is_some()
}

/// Ones in the bytes before the first `=`, in all if there is none.
#[inline(always)]
fn before_equals(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero_at_equals = bytes ^ (ONES * b'=' as u64);
    // The lowest bit set is the high bit of the first byte that is zero.
    let found = zero_at_equals.wrapping_sub(ONES) & !zero_at_equals & (ONES << 7);
    ((found & found.wrapping_neg()) >> 7).wrapping_sub(1)
}

/// At the exits of `execve(filename, argv, envp)` and
/// `execveat(directory, filename, argv, envp, flags)`.
#[tracepoint]
pub fn execve_exit(context: TracePointContext) -> u32 {
    failed(&context);
    0
}

/// The arguments are still there, since nothing was replaced.
#[inline(always)]
fn failed(context: &TracePointContext) -> Option<()> {
    let (number, result) = ended(context)?;
    if result >= 0 {
        return None;
    }
    let entry = lineage::watched()?;
    record::generated(kind::EXEC_FAILED);
    // SAFETY: a map value.
    let header = record::header(kind::EXEC_FAILED, unsafe { &*entry });
    let done = scratch::with(|scratch| {
        let registers = object::registers();
        let first: u64 = field!(registers, regs_0)?;
        let (directory, name) = if number == syscall::EXECVEAT {
            (first as i32, field!(registers, regs_1)?)
        } else {
            (-1, first)
        };
        let start = size_of::<Named>() as u32;
        let argument = argument::copy(scratch, object::current(), directory, name, start)?;
        let record = scratch::at(scratch, 0).cast::<Named>();
        // SAFETY: the body begins with room for it, aligned.
        unsafe {
            *record = Named {
                header,
                mode: 0,
                errno: errno(result),
                argument: argument.argument,
                path: argument.base,
            };
        }
        let length = scratch::bounded(start + argument.length);
        record::emit(Ring::Event, kind::EXEC_FAILED, record.cast(), length);
        Some(())
    });
    if done.is_none() {
        record::lost(kind::EXEC_FAILED);
    }
    Some(())
}
