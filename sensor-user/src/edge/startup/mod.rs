//! What the `.pth` files that watched code puts where python looks for them hold.
//!
//! When the file is opened it is empty yet; when its writer has ended it may have another name. So it is held by a
//! handle that can't be read from, and read through that: when its writer ends, once more soon after, for
//! a child that has the open file, when the watch ends, and now and then of a writer that goes on.

mod code;

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, fstatfs};

use super::container::cgroup_of;
use super::parent::inside_root;
use super::process::{Held, Views, reopened, resolve};
use crate::event::{Actor, Body, Event, Operations, Place};

/// No honest one is near it.
const SIZE_LIMIT: u64 = 64 << 10;
/// How many are held open. Beyond, the one that was held longest of the lineage that has most is read at once.
const HELD: usize = 32;
/// When a file is read whose writer goes on, or that has just ended; then after twice as long, and so on.
const SOON: u64 = 3_000_000_000;
const LATE: u64 = SOON << 12;

/// Files that are held.
#[derive(Debug, Default)]
pub(super) struct Files {
    held: Vec<Hook>,
    /// Those that there is no room for.
    overdue: Vec<Hook>,
}

/// One file.
#[derive(Debug)]
struct Hook {
    actor: Actor,
    place: Place,
    file: Arc<OwnedFd>,
    /// What was told of it.
    told: Vec<String>,
    due: u64,
    wait: u64,
    ended: bool,
}

/// A file to be held.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    actor: Actor,
    /// As the process sees it,
    seen: Place,
    /// and as it lies where python looks for it.
    place: Place,
    /// 0 where it is not known.
    inode: u64,
}

/// A file that is to be read now.
#[derive(Debug)]
pub(super) struct Due {
    /// Before which event of the batch it is told.
    pub(super) at: usize,
    hook: Hook,
    /// Whether it is held on.
    again: bool,
}

/// Whether python looks for it where it lies.
fn is_hook(place: &Place) -> bool {
    let mut parts = place.path.as_bytes().rsplit(|&byte| byte == b'/');
    let named = parts.next().is_some_and(|name| name.ends_with(b".pth"));
    named && matches!(parts.next(), Some(b"site-packages" | b"dist-packages"))
}

/// What an event calls for: a hook was opened for writing, or something got the name of one.
pub(super) fn asked(event: &Event) -> Option<Wanted> {
    let (actor, seen, inode) = match &event.body {
        Body::Open { actor, open }
            if open.errno == 0
                && open
                    .operations
                    .intersects(Operations::WRITE | Operations::CREATE) =>
        {
            (actor, &open.place, open.inode)
        }
        Body::Rename {
            actor,
            to,
            errno: 0,
            ..
        }
        | Body::Link {
            actor,
            to,
            errno: 0,
            ..
        } => (actor, to, 0),
        _ => return None,
    };
    let place = match &seen.source {
        Some(source) if !is_hook(seen) => source,
        _ => seen,
    };
    is_hook(place).then(|| Wanted {
        actor: *actor,
        seen: seen.clone(),
        place: place.clone(),
        inode,
    })
}

impl Wanted {
    /// Takes hold of it. May block: for the bounded pool only.
    pub(super) fn hold(&self, views: &mut Views) -> Option<OwnedFd> {
        let Actor { process, root, .. } = self.actor;
        let view = match views.of(process).is_some() {
            true => views.of(process)?,
            // It is over; where its lineage began lies the same folder, in the same container.
            false => {
                let kin = Held::of(root)?;
                let same = self.actor.cgroup != 0 && cgroup_of(&kin) == Some(self.actor.cgroup);
                same.then(|| views.of(root)).flatten()?
            }
        };
        let inside = inside_root(&self.seen, &view.path);
        let file = resolve(&view.root, &inside, OFlag::empty()).ok()?;
        let stat = fstat(&file).ok()?;
        let regular = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
        // Another file may have its name by now. An overlay shows numbers that the kernel's own need not be.
        let overlay =
            || fstatfs(&file).is_ok_and(|system| system.filesystem_type() == OVERLAYFS_SUPER_MAGIC);
        let same = self.inode == 0 || stat.st_ino == self.inode || overlay();
        (regular && same).then_some(file)
    }
}

impl Files {
    /// Holds a file from now on.
    pub(super) fn keep(&mut self, wanted: Wanted, file: OwnedFd, now: u64) {
        let known = |hook: &Hook| {
            hook.actor.process == wanted.actor.process && hook.place.path == wanted.place.path
        };
        // What was there before may have been run already.
        let told = match self.held.iter().position(known) {
            Some(at) => {
                let before = self.held.remove(at);
                let told = before.told.clone();
                self.overdue.push(before);
                told
            }
            None => Vec::new(),
        };
        if self.held.len() >= HELD {
            let out = self.most_of_one_lineage();
            let out = self.held.remove(out);
            self.overdue.push(out);
        }
        self.held.push(Hook {
            actor: wanted.actor,
            place: wanted.place,
            file: Arc::new(file),
            told,
            due: now + SOON,
            wait: SOON,
            ended: false,
        });
    }

    /// The first one of the lineage that has most: none can push out all others.
    fn most_of_one_lineage(&self) -> usize {
        let of = |hook: &Hook| {
            let same = |other: &&Hook| other.actor.root == hook.actor.root;
            self.held.iter().filter(same).count()
        };
        let most = self.held.iter().map(of).max();
        let first = self.held.iter().position(|hook| Some(of(hook)) == most);
        first.unwrap_or_default()
    }

    /// What is to be read after these events, told in this order.
    pub(super) fn due(&mut self, events: &[Event], now: u64) -> Vec<Due> {
        let mut due = Vec::new();
        if self.held.is_empty() && self.overdue.is_empty() {
            return due;
        }
        for (at, event) in events.iter().enumerate() {
            if let Body::Exit { actor, .. } = &event.body {
                let of_it = |hook: &mut Hook| !hook.ended && hook.actor.process == actor.process;
                for mut hook in self.held.extract_if(.., of_it) {
                    hook.ended = true;
                    hook.due = now + SOON;
                    let again = true;
                    due.push(Due { at, hook, again });
                }
            }
        }
        let at = events.len();
        for mut hook in self.held.extract_if(.., |hook| hook.due <= now) {
            hook.wait *= 2;
            hook.due = now + hook.wait;
            let again = !hook.ended && hook.wait <= LATE;
            due.push(Due { at, hook, again });
        }
        let overdue = self.overdue.drain(..);
        due.extend(overdue.map(|hook| Due {
            at,
            hook,
            again: false,
        }));
        due
    }

    /// All that is held, for the last time.
    pub(super) fn rest(&mut self) -> Vec<Due> {
        let all = self.overdue.drain(..).chain(self.held.drain(..));
        let last = |hook| Due {
            at: 0,
            hook,
            again: false,
        };
        all.map(last).collect()
    }

    /// What there is to tell of what was read.
    pub(super) fn read(
        &mut self,
        due: Vec<Due>,
        found: Vec<Option<Vec<String>>>,
    ) -> Vec<(usize, Body)> {
        let mut told = Vec::new();
        for (
            Due {
                at,
                mut hook,
                again,
            },
            found,
        ) in due.into_iter().zip(found)
        {
            if let Some(code) = found.filter(|code| !code.is_empty() && *code != hook.told) {
                hook.told.clone_from(&code);
                let (actor, place) = (hook.actor, hook.place.clone());
                told.push((at, Body::StartupFile { actor, place, code }));
            }
            if again {
                self.held.push(hook);
            }
        }
        told
    }
}

impl Due {
    /// What to read it through.
    pub(super) fn file(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.hook.file)
    }
}

/// The words of a held file. May block: for the bounded pool only.
pub(super) fn words(file: &OwnedFd) -> Option<Vec<String>> {
    let mut text = Vec::new();
    let file = File::from(reopened(file)?);
    file.take(SIZE_LIMIT + 1).read_to_end(&mut text).ok()?;
    let whole = text.len() as u64 <= SIZE_LIMIT;
    Some(code::words(&text, whole))
}

#[cfg(test)]
mod tests;
