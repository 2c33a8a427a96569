//! Opens, at the exit of their syscalls.
//!
//! An opened file's path is read from the file itself, so no other thread can have changed it. A
//! failed open leaves no object: there the argument is copied, with the kernel path of what it is
//! relative to.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_user, macros::tracepoint, programs::TracePointContext,
};
use sensor_ebpf::abi::{
    file::{CREATE, Module, Open, READ, WRITE},
    kind,
    lineage::Lineage,
};

use super::{ended, errno, syscall};
use crate::kernel::{
    argument, component, lineage, object,
    read::field,
    record::{self, Ring},
    scratch,
    walk::{Ask, walk},
};

/// `f_mode` bits (include/linux/fs.h, unchanged since 4.19).
const FMODE_READ: u32 = 1;
const FMODE_WRITE: u32 = 2;
const FMODE_CREATED: u32 = 0x10_0000;

const O_ACCMODE: u64 = 3;
const O_WRONLY: u64 = 1;
const O_CREAT: u64 = 0o100;

/// At the exits of `open(filename, flags, mode)`, `creat(filename, mode)`,
/// `openat(directory, filename, flags, mode)` and, since 5.6,
/// `openat2(directory, filename, how, size)`.
#[tracepoint]
pub fn open_exit(context: TracePointContext) -> u32 {
    opened(&context);
    0
}

#[inline(always)]
fn opened(context: &TracePointContext) -> Option<()> {
    let (number, result) = ended(context)?;
    let entry = lineage::watched()?;
    record::generated(kind::OPEN);
    let done = if result < 0 {
        open_failed(entry, number, result)
    } else {
        open_succeeded(entry, result as u32)
    };
    if done.is_none() {
        record::lost(kind::OPEN);
    }
    Some(())
}

/// `None` only if the event could not be made.
#[inline(always)]
fn open_succeeded(entry: *mut Lineage, descriptor: u32) -> Option<()> {
    let file = object::file(object::current(), descriptor)?;
    let f_mode: u32 = field!(file, file_mode)?;
    let mut operations = 0;
    if f_mode & FMODE_READ != 0 {
        operations |= READ;
    }
    if f_mode & FMODE_WRITE != 0 {
        operations |= WRITE;
    }
    if f_mode & FMODE_CREATED != 0 {
        operations |= CREATE;
    }
    let path = object::file_path(file)?;
    scratch::with(|scratch| {
        let start = size_of::<Open>() as u32;
        let walk = walk(scratch, path, start, Ask::File);
        // SAFETY: a map value.
        let lineage = unsafe { &mut *entry };
        // The same package again says nothing new.
        if operations & READ != 0 && walk.module != 0 && walk.module != lineage.module {
            lineage.module = walk.module;
            record::generated(kind::MODULE);
            let record = scratch::at(scratch, start - size_of::<Module>() as u32).cast::<Module>();
            // SAFETY: a module's record is shorter than an open's, so it fits before the path, and
            // both sizes are multiples of eight.
            unsafe {
                *record = Module {
                    header: record::header(kind::MODULE, lineage),
                    path: walk.section,
                    reserved: 0,
                };
            }
            let length = scratch::bounded(size_of::<Module>() as u32 + walk.length);
            record::emit(Ring::Event, kind::MODULE, record.cast(), length);
        }
        // A new file is no change of one that was there: what an install unpacks by the thousand is
        // only for entries that ask for it.
        let asked = if operations & CREATE != 0 {
            CREATE
        } else {
            operations
        };
        if (walk.wanted | component::any()) & asked == 0 {
            record::filtered(kind::OPEN);
            return Some(());
        }
        let inode: u64 = field!(file, file_inode)?;
        let mode: u16 = field!(inode, inode_mode)?;
        let record = scratch::at(scratch, 0).cast::<Open>();
        // SAFETY: the body begins with room for it, aligned.
        unsafe {
            *record = Open {
                header: record::header(kind::OPEN, lineage),
                inode: field!(inode, inode_number)?,
                operations,
                flags: field!(file, file_flags)?,
                mode: u32::from(mode),
                errno: 0,
                argument: 0,
                path: walk.section,
                source: walk.source,
                reserved: 0,
            };
        }
        let length = scratch::bounded(start + walk.total());
        record::emit(Ring::Event, kind::OPEN, record.cast(), length);
        Some(())
    })
}

/// Likewise.
#[inline(always)]
fn open_failed(entry: *mut Lineage, number: u32, result: i64) -> Option<()> {
    let registers = object::registers();
    let first: u64 = field!(registers, regs_0)?;
    let second: u64 = field!(registers, regs_1)?;
    let third: u64 = field!(registers, regs_2)?;
    let (directory, name, flags) = match number {
        syscall::OPEN => (-1, first, second),
        syscall::CREAT => (-1, first, O_CREAT | O_WRONLY),
        syscall::OPENAT => (first as i32, second, third),
        _ => {
            let mut flags = 0u64;
            // SAFETY: eight bytes of our own; the helper checks the source.
            unsafe { bpf_probe_read_user((&raw mut flags).cast(), 8, third as *const _) };
            (first as i32, second, flags)
        }
    };
    let mut operations = match flags & O_ACCMODE {
        0 => READ,
        O_WRONLY => WRITE,
        _ => READ | WRITE,
    };
    if flags & O_CREAT != 0 {
        operations |= CREATE;
    }
    scratch::with(|scratch| {
        let start = size_of::<Open>() as u32;
        let argument = argument::copy(scratch, object::current(), directory, name, start)?;
        if (argument.wanted | component::any()) & operations == 0 {
            record::filtered(kind::OPEN);
            return Some(());
        }
        let record = scratch::at(scratch, 0).cast::<Open>();
        // SAFETY: the body begins with room for it, aligned; the entry is a map value.
        unsafe {
            *record = Open {
                header: record::header(kind::OPEN, &*entry),
                inode: 0,
                operations,
                flags: flags as u32,
                mode: 0,
                errno: errno(result),
                argument: argument.argument,
                path: argument.base,
                source: 0,
                reserved: 0,
            };
        }
        let length = scratch::bounded(start + argument.length);
        record::emit(Ring::Event, kind::OPEN, record.cast(), length);
        Some(())
    })
}
