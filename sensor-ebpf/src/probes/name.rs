//! Renames, links, removals and mode changes, at the exit of their syscalls.
//!
//! They name their file, and but for fchmod they leave no object: the argument is copied, with the
//! kernel path of what it is relative to.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use sensor_ebpf::abi::{
    file::{METADATA, Named, REMOVE, Rename},
    kind,
    lineage::Lineage,
};

use super::{AT_REMOVEDIR, ended, errno, syscall};
use crate::kernel::{
    argument::{self, Argument},
    component, lineage, object,
    read::field,
    record::{self, Ring},
    scratch::{self, Scratch},
    walk::{Ask, walk},
};

/// At the exits of `rename(old, new)`, `renameat(old directory, old, new directory, new)` and
/// `renameat2(…, flags)`.
#[tracepoint]
pub fn rename_exit(context: TracePointContext) -> u32 {
    renamed(&context);
    0
}

#[inline(always)]
fn renamed(context: &TracePointContext) -> Option<()> {
    let (number, result) = ended(context)?;
    let entry = lineage::watched()?;
    let [first, second, third, fourth] = arguments()?;
    let names = if number == syscall::RENAME {
        [(AT_FDCWD, first), (AT_FDCWD, second)]
    } else {
        [(first as i32, second), (third as i32, fourth)]
    };
    two_names(kind::RENAME, entry, result, names)
}

/// At the exits of `link(old, new)`, `linkat(old directory, old, new directory, new, flags)`,
/// `symlink(target, new)` and `symlinkat(target, new directory, new)`.
#[tracepoint]
pub fn link_exit(context: TracePointContext) -> u32 {
    linked(&context);
    0
}

#[inline(always)]
fn linked(context: &TracePointContext) -> Option<()> {
    let (number, result) = ended(context)?;
    let entry = lineage::watched()?;
    let [first, second, third, fourth] = arguments()?;
    let (kind, names) = match number {
        syscall::LINK => (kind::LINK, [(AT_FDCWD, first), (AT_FDCWD, second)]),
        syscall::SYMLINK => (kind::SYMLINK, [(NO_BASE, first), (AT_FDCWD, second)]),
        syscall::SYMLINKAT => (kind::SYMLINK, [(NO_BASE, first), (second as i32, third)]),
        _ => (kind::LINK, [(first as i32, second), (third as i32, fourth)]),
    };
    two_names(kind, entry, result, names)
}

/// A descriptor that is never open: an argument that is relative to nothing.
const NO_BASE: i32 = i32::MAX;

const AT_FDCWD: i32 = -100;

/// The first four arguments of the syscall that ends.
#[inline(always)]
fn arguments() -> Option<[u64; 4]> {
    let registers = object::registers();
    Some([
        field!(registers, regs_0)?,
        field!(registers, regs_1)?,
        field!(registers, regs_2)?,
        field!(registers, regs_3)?,
    ])
}

/// A call with an old and a new name, each an argument and what it is relative to.
#[inline(always)]
fn two_names(
    kind: u32,
    entry: *mut Lineage,
    result: i64,
    [(from_directory, from), (to_directory, to)]: [(i32, u64); 2],
) -> Option<()> {
    record::generated(kind);
    let done = scratch::with(|scratch| {
        let task = object::current();
        let start = size_of::<Rename>() as u32;
        let from = argument::copy(scratch, task, from_directory, from, start)?;
        let middle = start + from.length;
        let to = argument::copy(scratch, task, to_directory, to, middle)?;
        if (from.wanted | to.wanted | component::any()) & METADATA == 0 {
            record::filtered(kind);
            return Some(());
        }
        let record = scratch::at(scratch, 0).cast::<Rename>();
        // SAFETY: the body begins with room for it, aligned; the entry is a map value.
        unsafe {
            (*record).header = record::header(kind, &*entry);
            (*record).from = from.argument;
            (*record).from_base = from.base;
            (*record).to = to.argument;
            (*record).to_base = to.base;
            (*record).errno = errno(result);
            (*record).reserved = 0;
        }
        let length = scratch::bounded(middle + to.length);
        record::emit(Ring::Event, kind, record.cast(), length);
        Some(())
    });
    if done.is_none() {
        record::lost(kind);
    }
    Some(())
}

/// At the exits of `unlink(pathname)` and `unlinkat(directory, pathname, flags)`.
#[tracepoint]
pub fn unlink_exit(context: TracePointContext) -> u32 {
    unlinked(&context);
    0
}

#[inline(always)]
fn unlinked(context: &TracePointContext) -> Option<()> {
    let (number, result) = ended(context)?;
    // What was not there, or may not be removed, is still as it was.
    if result != 0 {
        return None;
    }
    let entry = lineage::watched()?;
    let [first, second, third, _] = arguments()?;
    let (directory, name) = match number {
        syscall::UNLINK => (AT_FDCWD, first),
        _ if third as u32 & AT_REMOVEDIR != 0 => return None,
        _ => (first as i32, second),
    };
    record::generated(kind::UNLINK);
    let done = scratch::with(|scratch| {
        let start = size_of::<Named>() as u32;
        let argument = argument::copy(scratch, object::current(), directory, name, start)?;
        one_name(kind::UNLINK, scratch, entry, REMOVE, argument, 0, result);
        Some(())
    });
    if done.is_none() {
        record::lost(kind::UNLINK);
    }
    Some(())
}

/// Mode bits worth an event: someone may run the file, or run it as its owner.
const EXECUTABLE: u64 = 0o6111;

/// At the exits of `chmod(filename, mode)`, `fchmod(descriptor, mode)`,
/// `fchmodat(directory, filename, mode)` and, since 6.6, `fchmodat2(…, flags)`.
#[tracepoint]
pub fn chmod_exit(context: TracePointContext) -> u32 {
    mode_changed(&context);
    0
}

#[inline(always)]
fn mode_changed(context: &TracePointContext) -> Option<()> {
    let (number, result) = ended(context)?;
    let entry = lineage::watched()?;
    record::generated(kind::CHMOD);
    let done = scratch::with(|scratch| {
        let registers = object::registers();
        let first: u64 = field!(registers, regs_0)?;
        let second: u64 = field!(registers, regs_1)?;
        let third: u64 = field!(registers, regs_2)?;
        let mode = match number {
            syscall::CHMOD | syscall::FCHMOD => second,
            _ => third,
        };
        if mode & EXECUTABLE == 0 {
            record::filtered(kind::CHMOD);
            return Some(());
        }
        let task = object::current();
        let start = size_of::<Named>() as u32;
        let argument = if number == syscall::FCHMOD {
            let file = object::file(task, first as u32)?;
            let walk = walk(scratch, object::file_path(file)?, start, Ask::File);
            Argument {
                base: walk.section,
                argument: 0,
                wanted: walk.wanted,
                length: walk.length,
            }
        } else {
            let (directory, name) = match number {
                syscall::CHMOD => (-1, first),
                _ => (first as i32, second),
            };
            argument::copy(scratch, task, directory, name, start)?
        };
        let mode = mode as u32;
        one_name(
            kind::CHMOD,
            scratch,
            entry,
            METADATA,
            argument,
            mode,
            result,
        );
        Some(())
    });
    if done.is_none() {
        record::lost(kind::CHMOD);
    }
    Some(())
}

/// A call with one name, which lies in the body behind the room for the record.
#[inline(always)]
fn one_name(
    kind: u32,
    scratch: *mut Scratch,
    entry: *mut Lineage,
    operation: u32,
    argument: Argument,
    mode: u32,
    result: i64,
) {
    if (argument.wanted | component::any()) & operation == 0 {
        record::filtered(kind);
        return;
    }
    let record = scratch::at(scratch, 0).cast::<Named>();
    // SAFETY: the body begins with room for it, aligned; the entry is a map value.
    unsafe {
        *record = Named {
            header: record::header(kind, &*entry),
            mode,
            errno: errno(result),
            argument: argument.argument,
            path: argument.base,
        };
    }
    let length = scratch::bounded(size_of::<Named>() as u32 + argument.length);
    record::emit(Ring::Event, kind, record.cast(), length);
}
