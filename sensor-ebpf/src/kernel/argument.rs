//! Paths as a process passed them, for calls that leave no object behind.

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_kernel_str, bpf_probe_read_user_str};
use sensor_ebpf::abi::path::{ARGUMENT_MAX, TRUNCATED};

use super::{
    component, object,
    scratch::{self, Scratch},
    walk::{Ask, walk},
};

/// A path argument in the scratch body: the kernel path of its base, then its own bytes.
pub struct Argument {
    /// Section length of the base's path; 0 for an absolute argument.
    pub base: u32,
    /// Section length of the argument.
    pub argument: u32,
    /// Operations that some watch entry wants on it.
    pub wanted: u32,
    /// Bytes written in all.
    pub length: u32,
}

/// Copies the string at the user address `name` to `start` of the body, and the path of what it is
/// relative to behind it; then asks the watch entries about both.
///
/// `None` if the string can't be read.
#[inline(always)]
pub fn copy(
    scratch: *mut Scratch,
    task: u64,
    directory: i32,
    name: u64,
    start: u32,
) -> Option<Argument> {
    // The argument goes first, so that its first byte tells whether a base is needed.
    let target = scratch::at(scratch, start);
    // SAFETY: inside the body; the helper checks the source.
    let copied =
        unsafe { bpf_probe_read_user_str(target.cast(), ARGUMENT_MAX as u32, name as *const _) };
    if copied <= 0 {
        return None;
    }
    // The count includes the NUL.
    let length = (copied as u32).min(ARGUMENT_MAX as u32) - 1;
    let truncated = if copied as usize >= ARGUMENT_MAX {
        TRUNCATED
    } else {
        0
    };
    // SAFETY: inside the body.
    let absolute = unsafe { *target } == b'/';
    let mut argument = Argument {
        base: 0,
        argument: length | truncated,
        wanted: ask_argument(start, length),
        length,
    };
    if !absolute {
        let ask = if length == 0 { Ask::File } else { Ask::Base };
        if let Some(path) = object::base(task, directory) {
            let walk = walk(scratch, path, start + length, ask);
            argument.base = walk.section;
            argument.wanted |= walk.wanted;
            argument.length += walk.length;
        }
    }
    Some(argument)
}

/// Copies a string that the kernel holds; `None` if it can't be read.
#[inline(always)]
pub fn copy_kernel(scratch: *mut Scratch, name: u64, start: u32) -> Option<u32> {
    let target = scratch::at(scratch, start);
    // SAFETY: inside the body; the helper checks the source.
    let copied =
        unsafe { bpf_probe_read_kernel_str(target.cast(), ARGUMENT_MAX as u32, name as *const _) };
    (copied > 0).then(|| (copied as u32).min(ARGUMENT_MAX as u32) - 1)
}

#[repr(C)]
struct Split {
    start: u32,
    length: u32,
    component: u32,
    wanted: u32,
}

/// Operations that some watch entry wants on an argument in the body. Global, so that the verifier
/// looks at it once for each program.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn ask_argument(start: u32, length: u32) -> u32 {
    let mut split = Split {
        start,
        length,
        component: 0,
        wanted: 0,
    };
    // SAFETY: the callback has the signature that bpf_loop wants, and the split outlives it.
    unsafe {
        bpf_loop(
            ARGUMENT_MAX as u32,
            byte as *mut _,
            (&raw mut split).cast(),
            0,
        )
    };
    split.wanted
}

/// One step of `bpf_loop`: one byte; at the end of a component, asks about it.
unsafe extern "C" fn byte(index: u64, split: *mut Split) -> i64 {
    // SAFETY: `ask_argument` passes its split.
    let split = unsafe { &mut *split };
    let index = index as u32;
    let Some(scratch) = scratch::scratch() else {
        return 1;
    };
    let ends = index >= split.length;
    // SAFETY: inside the body.
    if ends || unsafe { *scratch::at(scratch, split.start + index) } == b'/' {
        let length = index.wrapping_sub(split.component) & 0xfff;
        if length > 0 {
            split.wanted |= component::operations(split.start + split.component, length, ends);
        }
        split.component = index + 1;
    }
    ends as i64
}
