//! From a dentry and a mount up to the root, one component a step.

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_kernel};
use sensor_ebpf::abi::{file::REMEMBER, path};

use super::{
    component,
    object::Path,
    read::{field, offset},
    scratch,
};

/// More steps than a path of [`path::MAX`] bytes has components and mounts.
const STEPS: u32 = 4 * path::MAX as u32;

/// Longest component of any file system (`NAME_MAX`).
const NAME_MAX: u32 = 255;

/// The state of a walk, on the caller's stack.
#[repr(C)]
pub struct Walk {
    dentry: u64,
    mount: u64,
    /// The component below the current one, and the one below that: one of them is the package's
    /// folder when the current one is `node_modules` or `site-packages`.
    below: u64,
    two_below: u64,
    /// The package's folder.
    pub module: u64,
    /// Where the path goes in the scratch body.
    start: u32,
    /// Bytes written.
    pub length: u32,
    /// Operations that some watch entry wants on this path.
    pub wanted: u32,
    /// Not the whole path.
    truncated: u32,
    /// Whether to ask the watch entries.
    asking: u32,
    /// Whether the last component is the last of the path that is asked about.
    leaf: u32,
    /// The component below begins with `@`: an npm scope.
    scope_below: u32,
    reserved: u32,
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

impl Walk {
    /// Walks `path` and writes it, leaf first, at `start` of the scratch body.
    #[inline(always)]
    pub fn run(path: Path, start: u32, ask: Ask) -> Walk {
        let mut walk = Walk {
            dentry: path.dentry,
            mount: path.mount,
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
            reserved: 0,
        };
        // SAFETY: the callback has the signature that bpf_loop wants, and the walk outlives it.
        let steps = unsafe { bpf_loop(STEPS, step as *mut _, (&raw mut walk).cast(), 0) };
        if steps < 0 || steps >= i64::from(STEPS) {
            walk.truncated = path::TRUNCATED;
        }
        walk
    }

    /// The section's length as records have it.
    #[inline(always)]
    pub fn section(&self) -> u32 {
        self.length | self.truncated
    }
}

const GO_ON: i64 = 0;
const STOP: i64 = 1;

/// One step of `bpf_loop`: one component, or out of one mount.
unsafe extern "C" fn step(_index: u64, walk: *mut Walk) -> i64 {
    // SAFETY: `run` passes its walk.
    let walk = unsafe { &mut *walk };
    match advance(walk) {
        Some(verdict) => verdict,
        None => {
            walk.truncated = path::TRUNCATED;
            STOP
        }
    }
}

#[inline(always)]
fn advance(walk: &mut Walk) -> Option<i64> {
    let root: u64 = field!(walk.mount, vfsmount_root)?;
    if walk.dentry == root {
        let mount = walk.mount.wrapping_sub(u64::from(offset!(mount_vfsmount)));
        let parent: u64 = field!(mount, mount_parent)?;
        if parent == mount {
            return Some(STOP);
        }
        walk.dentry = field!(mount, mount_mountpoint)?;
        walk.mount = parent.wrapping_add(u64::from(offset!(mount_vfsmount)));
        return Some(GO_ON);
    }
    let parent: u64 = field!(walk.dentry, dentry_parent)?;
    let [hash_and_length, name]: [u64; 2] = field!(walk.dentry, dentry_name)?;
    let length = (hash_and_length >> 32) as u32;
    // A dentry that is its own parent and no mount's root: a file of no file system that anyone can
    // see (memfd, pipe). Its name is all there is.
    let detached = parent == walk.dentry;
    if length > NAME_MAX || walk.length + length + 1 > path::MAX as u32 {
        return None;
    }
    let scratch = scratch::scratch()?;
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
    walk.dentry = parent;
    Some(if detached { STOP } else { GO_ON })
}
