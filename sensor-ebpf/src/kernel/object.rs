//! Walking from a task to the objects it holds.

use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs};

use super::read::{field, read};

/// The current `struct task_struct`.
#[inline(always)]
pub fn current() -> u64 {
    // SAFETY: takes nothing.
    unsafe { bpf_get_current_task_btf() as u64 }
}

/// `start_boottime` of a task's group leader, which an exec from another thread hands on to that
/// thread (`de_thread`, fs/exec.c).
#[inline(always)]
pub fn start(task: u64) -> Option<u64> {
    let leader: u64 = field!(task, task_group_leader)?;
    field!(leader, task_start_boottime)
}

/// The `struct file` behind a descriptor.
#[inline(always)]
pub fn file(task: u64, descriptor: u32) -> Option<u64> {
    let files: u64 = field!(task, task_files)?;
    let table: u64 = field!(files, files_fdt)?;
    let size: u32 = field!(table, fdt_max_fds)?;
    if descriptor >= size {
        return None;
    }
    let slots: u64 = field!(table, fdt_fd)?;
    let file: u64 = read(slots.wrapping_add(u64::from(descriptor) * 8), 0)?;
    (file != 0).then_some(file)
}

/// Where a path begins: `struct path`.
#[derive(Clone, Copy)]
pub struct Path {
    /// `struct vfsmount`.
    pub mount: u64,
    /// `struct dentry`.
    pub dentry: u64,
}

/// The path of an open file.
#[inline(always)]
pub fn file_path(file: u64) -> Option<Path> {
    Some(Path {
        mount: field!(file, file_path_mnt)?,
        dentry: field!(file, file_path_dentry)?,
    })
}

/// The working directory.
#[inline(always)]
pub fn working_directory(task: u64) -> Option<Path> {
    let fs: u64 = field!(task, task_fs)?;
    Some(Path {
        mount: field!(fs, fs_pwd_mnt)?,
        dentry: field!(fs, fs_pwd_dentry)?,
    })
}

/// What a relative argument is relative to: a descriptor, or the working directory for AT_FDCWD.
#[inline(always)]
pub fn base(task: u64, directory: i32) -> Option<Path> {
    if directory < 0 {
        working_directory(task)
    } else {
        file_path(file(task, directory as u32)?)
    }
}

/// The registers with which the current task entered the kernel. On x86-64 the argument registers
/// still hold the arguments at the exit of a syscall.
#[inline(always)]
pub fn registers() -> u64 {
    // SAFETY: the helper takes the task that the other one returns.
    unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) as u64 }
}
