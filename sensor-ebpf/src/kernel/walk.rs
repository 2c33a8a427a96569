//! From a dentry and a mount up to the root, one component a step.

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_kernel};
use sensor_ebpf::abi::{file::REMEMBER, path};

use super::{
    component,
    object::Path,
    read::{copy, field, offset},
    scratch::{self, Scratch},
};

/// More steps than a path of [`path::MAX`] bytes has components and mounts.
const STEPS: u32 = 4 * path::MAX as u32;

/// Longest component of any file system (`NAME_MAX`).
const NAME_MAX: u32 = 255;

/// The state of a walk. It lies in the scratch: the frames of a program, of the walk and of its
/// callees share 512 bytes of stack.
#[repr(C)]
pub struct Walk {
    dentry: u64,
    mount: u64,
    /// The root of what the mount shows; 0 before anyone asked.
    root: u64,
    link: Link,
    /// The component below the current one, and the one below that: one of them is the package's
    /// folder when the current one is `node_modules` or `site-packages`.
    below: u64,
    two_below: u64,
    module: u64,
    /// Where the path goes in the scratch body.
    start: u32,
    /// Bytes written.
    length: u32,
    wanted: u32,
    truncated: u32,
    /// Whether to ask the watch entries.
    asking: u32,
    /// Whether the current component is the last of the path that is asked about.
    leaf: u32,
    /// The component below begins with `@`: an npm scope.
    scope_below: u32,
    /// Mounts are passed by: the path is the one inside the file system.
    inside: u32,
    /// A mount on the way shows a part of its file system only: a bind mount.
    bound: u32,
    reserved: u32,
}

/// From a dentry on.
#[derive(Clone, Copy)]
#[repr(C)]
struct Link {
    parent: u64,
    /// Hash and length, and where the name is.
    name: [u64; 2],
}

/// What to ask the watch entries on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Nothing.
    Nothing,
    /// The path is what was acted on.
    File,
    /// The path is the base of an argument: its last component is not the path's last.
    Base,
}

/// What a walk found.
#[derive(Clone, Copy)]
pub struct Walked {
    /// Bytes written.
    pub length: u32,
    /// The length as records have it.
    pub section: u32,
    /// Operations that some watch entry wants on this path.
    pub wanted: u32,
    /// The length, as records have it, of the path inside the file system, which follows; 0 if that
    /// is the same or nobody asks.
    pub source: u32,
    /// The package's folder; 0 for none.
    pub module: u64,
}

impl Walked {
    /// Bytes written of both paths.
    pub fn total(&self) -> u32 {
        self.length + (self.source & !path::TRUNCATED)
    }
}

/// Walks `path` and writes it, leaf first, at `start` of the scratch body.
///
/// A bind mount can show a file under any name, and whoever has a user namespace may make one. So
/// where one is on the way of a file that is asked about, the path inside the file system is written
/// too, and the watch entries are asked about both.
#[inline(always)]
pub fn walk(scratch: *mut Scratch, path: Path, start: u32, ask: Ask) -> Walked {
    // SAFETY: this CPU's own scratch, which the caller holds.
    let state = unsafe { &mut (*scratch).walk };
    *state = Walk {
        dentry: path.dentry,
        mount: path.mount,
        root: 0,
        link: Link {
            parent: 0,
            name: [0; 2],
        },
        below: 0,
        two_below: 0,
        module: 0,
        start,
        length: 0,
        wanted: 0,
        truncated: 0,
        asking: (ask != Ask::Nothing) as u32,
        leaf: (ask == Ask::File) as u32,
        scope_below: 0,
        inside: 0,
        bound: 0,
        reserved: 0,
    };
    // A kernel path is never longer, and no section may look so.
    let length = climb().min(path::MAX as u32);
    let Walk {
        truncated, bound, ..
    } = *state;
    let section = length | truncated;
    let mut source = 0;
    if ask == Ask::File && bound != 0 {
        state.dentry = path.dentry;
        state.start = start + length;
        state.length = 0;
        state.truncated = 0;
        state.leaf = 1;
        state.inside = 1;
        source = climb().min(path::MAX as u32) | state.truncated;
    }
    let Walk { wanted, module, .. } = *state;
    Walked {
        length,
        section,
        wanted,
        source,
        module,
    }
}

/// Takes the steps of the walk that the scratch holds; returns the bytes written. Global, so that
/// the verifier looks at it once for each program.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn climb() -> u32 {
    let Some(scratch) = scratch::scratch() else {
        return 0;
    };
    // SAFETY: the callback has the signature that bpf_loop wants.
    let steps = unsafe { bpf_loop(STEPS, step as *mut _, core::ptr::null_mut(), 0) };
    // SAFETY: this CPU's own scratch.
    let state = unsafe { &mut (*scratch).walk };
    if steps < 0 || steps >= i64::from(STEPS) {
        state.truncated = path::TRUNCATED;
    }
    state.length
}

const GO_ON: i64 = 0;
const STOP: i64 = 1;

/// One step of `bpf_loop`: one component, or out of one mount.
unsafe extern "C" fn step(_index: u64, _context: *mut u8) -> i64 {
    let Some(scratch) = scratch::scratch() else {
        return STOP;
    };
    // SAFETY: this CPU's own scratch.
    let walk = unsafe { &mut (*scratch).walk };
    match advance(scratch, walk) {
        Some(verdict) => verdict,
        None => {
            walk.truncated = path::TRUNCATED;
            STOP
        }
    }
}

/// Reads a dentry's parent and its `struct qstr`, which lie side by side in every kernel so far unless its
/// layout is randomized: one copy instead of two. Into the scratch, as the stack is full on 6.1.
#[inline(always)]
fn link(to: &mut Link, dentry: u64) -> Option<()> {
    if offset!(dentry_name) == offset!(dentry_parent) + 8 {
        return copy(to, dentry, offset!(dentry_parent));
    }
    copy(&mut to.parent, dentry, offset!(dentry_parent))?;
    copy(&mut to.name, dentry, offset!(dentry_name))
}

#[inline(always)]
fn advance(scratch: *mut Scratch, walk: &mut Walk) -> Option<i64> {
    link(&mut walk.link, walk.dentry)?;
    let Link {
        parent: above,
        name: [hash_and_length, name],
    } = walk.link;
    if walk.root == 0 {
        walk.root = field!(walk.mount, vfsmount_root)?;
    }
    if walk.inside == 0 && walk.dentry == walk.root {
        // Also where the mount is the last: a detached one, or a root that was pivoted into.
        walk.bound |= (above != walk.dentry) as u32;
        let mount = walk.mount.wrapping_sub(u64::from(offset!(mount_vfsmount)));
        let parent: u64 = field!(mount, mount_parent)?;
        if parent == mount {
            return Some(STOP);
        }
        walk.dentry = field!(mount, mount_mountpoint)?;
        walk.mount = parent.wrapping_add(u64::from(offset!(mount_vfsmount)));
        walk.root = 0;
        return Some(GO_ON);
    }
    let length = (hash_and_length >> 32) as u32;
    // A dentry that is its own parent: the root of the file system, or a file of none that anyone can
    // see (memfd, pipe), whose name is all there is.
    let detached = above == walk.dentry;
    if detached && walk.inside != 0 {
        return Some(STOP);
    }
    if length > NAME_MAX || walk.length + length + 1 > path::MAX as u32 {
        return None;
    }
    let target = scratch::at(scratch, walk.start + walk.length);
    // SAFETY: at most 255 bytes, inside the body; the helper checks the source.
    if unsafe { bpf_probe_read_kernel(target.cast(), length & NAME_MAX, name as *const _) } != 0 {
        return None;
    }
    // SAFETY: inside the body.
    let first = unsafe { *target };
    let end = scratch::at(scratch, walk.start + walk.length + length);
    // SAFETY: inside the body.
    unsafe { *end = 0 };
    if walk.asking != 0 {
        let wanted = component::operations(walk.start + walk.length, length, walk.leaf != 0);
        if wanted & REMEMBER != 0 && walk.module == 0 {
            walk.module = if walk.scope_below != 0 {
                walk.two_below
            } else {
                walk.below
            };
        }
        walk.wanted |= wanted;
        walk.leaf = 0;
        walk.two_below = walk.below;
        walk.below = walk.dentry;
        walk.scope_below = (first == b'@') as u32;
    }
    walk.length += length + 1;
    walk.dentry = above;
    Some(if detached { STOP } else { GO_ON })
}
