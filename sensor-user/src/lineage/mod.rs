//! The process tree: who descends from whom, what each process runs, and what it is part of.
//!
//! Goals: no child is ever lost from its lineage, whatever was missed (the kernel's own set names
//! the root of every event); nothing a process does takes it out of its scopes; memory stays flat
//! however many processes come and go. Pure: fed by fork, exec and exit events only.

mod editors;
mod image;
mod installer;
mod memory;
mod place;
mod scope;
mod verbs;
mod workers;

#[cfg(test)]
mod step_tests;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use foldhash::HashMap;

use crate::attribution;
use crate::event::{Actor, Exec, Manifest, ProcessKey, Text};

use place::{Place, Roots};

pub use image::{Image, Loading, NEAREST, Node};
pub(crate) use image::{invocation, is_manager, is_worker};
pub use installer::{Interpreter, Invocation, Manager};
pub(crate) use scope::join;
pub use scope::{Context, InstallSession};
pub use workers::names as worker_names;

/// An ended process stays known for late events, but not longer than this,
const REMEMBERED: u64 = 10_000_000_000;
/// and not more of them than this.
const REMEMBERED_MOST: usize = 4096;
/// Where the ends of processes were lost: the number of entries at which the longest silent go.
const TABLE_MOST: usize = 1 << 18;

/// A process in a watched lineage.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its place among its ancestors.
    pub node: Rc<Node>,
    /// What it is part of.
    pub context: Rc<Context>,
    /// Where its session begins if it is in no install: its CI step, otherwise its lineage.
    pub root: ProcessKey,
    /// Where its lineage began, as the kernel's own set has it.
    pub lineage: ProcessKey,
    /// Changes whenever `node` or `context` does; unique over all processes.
    pub stamp: u64,
    /// Its fork was not seen.
    pub adopted: bool,
    ended: bool,
    seen: u64,
}

impl Process {
    /// Its last thread ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What it runs, where that is known.
    pub fn image(&self) -> Option<&Rc<Image>> {
        self.node.image.as_ref()
    }

    fn place(&self) -> Place {
        Place {
            node: Rc::clone(&self.node),
            context: Rc::clone(&self.context),
            root: self.root,
            lineage: self.lineage,
        }
    }
}

/// All processes of all watched lineages.
#[derive(Debug, Default)]
pub struct Lineage {
    processes: HashMap<ProcessKey, Process>,
    /// The newest process of each pid.
    current: HashMap<u32, u64>,
    roots: Roots,
    ended: VecDeque<(ProcessKey, u64)>,
    stamps: u64,
    /// Processes below a root that were seen acting though their fork never was.
    forks_missed: u64,
    budget: memory::Budget,
}

impl Lineage {
    /// A process was made.
    pub fn fork(&mut self, actor: &Actor, child: ProcessKey, time: u64) {
        let parent = self.acting(actor, time).clone();
        let place = parent.place().below(child);
        match self.processes.get_mut(&child) {
            None => self.insert(child, place, false, time),
            // It was seen acting before its fork was: it takes the place it belongs to.
            Some(early) if early.adopted => {
                early.adopted = false;
                self.forks_missed -= 1;
                early.node = match early.node.image.clone() {
                    Some(image) if early.node.started => place.node.exec(image),
                    _ => place.node,
                };
                if early.context.install.is_none() && place.context.install.is_some() {
                    early.context = place.context;
                } else if place.context.ci_step && !early.context.ci_step {
                    Rc::make_mut(&mut early.context).ci_step = true;
                }
                early.stamp = next(&mut self.stamps);
                let before = early.place();
                early.root = place.root;
                self.roots.join(child, &early.place());
                self.roots.leave(&before);
            }
            Some(_) => {}
        }
    }

    /// A program was started.
    pub fn exec(&mut self, actor: &Actor, exec: &Exec, time: u64) -> &Process {
        let image = Rc::new(Image::new(exec, &self.budget));
        if !self.processes.contains_key(&actor.process) {
            self.adopt(actor, Some(exec.parent_pid), time);
        }
        let stamp = next(&mut self.stamps);
        let process = self.known(actor, time);
        process.stamp = stamp;
        // A thread that starts a program after the leader's end keeps the process alive.
        process.ended = false;
        let mut context = (*process.context).clone();
        context.enter(actor, &image, time);
        let before = process.image().cloned();
        attribution::at_exec(&mut context, before.as_ref(), &image, exec);
        context.enter_lifecycle(actor, before.as_deref(), exec, time);
        process.context = Rc::new(context);
        process.node = process.node.exec(image);
        self.renew_root(actor.process);
        &self.processes[&actor.process]
    }

    /// A process that ran before the watch began: nothing is missing of what was seen of it since.
    /// `step` is the CI step that an earlier sensor saw it in.
    pub fn found(
        &mut self,
        actor: &Actor,
        exec: &Exec,
        parent: Option<ProcessKey>,
        step: Option<ProcessKey>,
        time: u64,
    ) -> &Process {
        if !self.processes.contains_key(&actor.process) {
            let parent = parent
                .and_then(|key| self.processes.get(&key))
                .filter(|parent| parent.lineage == actor.root);
            let mut place = match parent {
                Some(parent) => parent.place().below(actor.process),
                None => Place::first(actor.process, actor.root),
            };
            if let Some(step) = step
                && !place.context.ci_step
            {
                Rc::make_mut(&mut place.context).ci_step = true;
                place.root = step;
            }
            self.insert(actor.process, place, false, time);
        }
        self.exec(actor, exec, time)
    }

    /// The rules have been asked about a program's start: from here on only the head and the tail of
    /// a long command line are kept.
    pub fn settle(&mut self, process: ProcessKey) {
        let most = self.budget.kept();
        let Some(found) = self.processes.get_mut(&process) else {
            return;
        };
        if let Some(image) = found.image().and_then(|image| image.shortened(most)) {
            found.node = found.node.with_image(Rc::new(image));
            found.stamp = next(&mut self.stamps);
            self.renew_root(process);
        }
    }

    /// A process that is found later without its fork is placed below what the root is now.
    fn renew_root(&mut self, process: ProcessKey) {
        if let Some(found) = self.processes.get(&process) {
            self.roots.renew(found);
        }
    }

    /// The last thread of a process ended.
    pub fn exit(&mut self, actor: &Actor, time: u64) {
        if let Some(process) = self.processes.get_mut(&actor.process) {
            process.ended = true;
            self.ended.push_back((actor.process, time));
        }
        self.forget(time);
    }

    /// The process behind an event; made known if it was not.
    pub fn acting(&mut self, actor: &Actor, time: u64) -> &Process {
        if !self.processes.contains_key(&actor.process) {
            self.adopt(actor, None, time);
        }
        self.known(actor, time)
    }

    /// The process read from a package's folder.
    pub fn module(&mut self, actor: &Actor, path: &Text, time: u64) {
        self.acting(actor, time);
        let stamp = next(&mut self.stamps);
        let process = self.known(actor, time);
        let manages = process.image().is_some_and(|i| i.invocation.is_some());
        if !manages && let Some(context) = attribution::at_import(&process.context, path) {
            process.context = Rc::new(context);
            process.stamp = stamp;
        }
    }

    /// A package's manifest was read. Whether it said anything new.
    pub fn manifest(&mut self, about: ProcessKey, manifest: &Manifest) -> bool {
        let package = self
            .processes
            .get(&about)
            .and_then(|process| process.context.package.as_ref());
        package.is_some_and(|package| package.borrow_mut().read(manifest))
    }

    /// A process that is known.
    pub fn get(&self, key: ProcessKey) -> Option<&Process> {
        self.processes.get(&key)
    }

    /// The newest process with this pid, which may have ended.
    pub fn by_pid(&self, pid: u32) -> Option<&Process> {
        let start = *self.current.get(&pid)?;
        self.processes.get(&ProcessKey { pid, start })
    }

    /// Processes of one lineage, with all steps in it, or of all, that have not ended, by pid.
    pub fn alive(&self, root: Option<ProcessKey>) -> Vec<&Process> {
        let mut alive: Vec<_> = self
            .processes
            .values()
            .filter(|process| !process.ended && root.is_none_or(|root| process.lineage == root))
            .collect();
        alive.sort_by_key(|process| process.node.key);
        alive
    }

    /// The roots of the installs that a living process is part of.
    pub fn installs_alive(&self) -> HashSet<ProcessKey> {
        let alive = self.processes.values().filter(|process| !process.ended);
        alive
            .filter_map(|process| Some(process.context.install.as_ref()?.root))
            .collect()
    }

    /// Processes below a root that acted though their fork was never seen: a sure sign of loss.
    pub fn forks_missed(&self) -> u64 {
        self.forks_missed
    }

    /// Whether any process of this lineage or CI step is still known.
    pub fn has_root(&self, root: ProcessKey) -> bool {
        self.roots.are_known(root)
    }

    fn known(&mut self, actor: &Actor, time: u64) -> &mut Process {
        let process = self
            .processes
            .get_mut(&actor.process)
            .expect("every caller has made the process known");
        process.seen = time;
        process
    }

    /// A process whose fork was not seen. It belongs where the kernel says: to its root's lineage,
    /// below its parent if that one is known, otherwise below the root.
    fn adopt(&mut self, actor: &Actor, parent: Option<u32>, time: u64) {
        let parent = parent
            .and_then(|pid| {
                Some(ProcessKey {
                    pid,
                    start: *self.current.get(&pid)?,
                })
            })
            .and_then(|key| self.processes.get(&key))
            .filter(|parent| parent.lineage == actor.root && parent.node.key != actor.process);
        let above = parent.map(Process::place);
        let above = above.unwrap_or_else(|| self.roots.place(actor.root));
        let place = match above.node.key == actor.process {
            // The root itself, of which children may have been seen before.
            true => above,
            false => above.below(actor.process),
        };
        self.insert(actor.process, place, true, time);
    }

    fn insert(&mut self, key: ProcessKey, place: Place, adopted: bool, time: u64) {
        // The end of the pid's earlier process was missed.
        let earlier = self.current.get(&key.pid).copied();
        if let Some(start) = earlier.filter(|&start| start < key.start) {
            let old = ProcessKey {
                pid: key.pid,
                start,
            };
            if let Some(process) = self.processes.get_mut(&old).filter(|p| !p.ended) {
                process.ended = true;
                self.ended.push_back((old, time));
            }
        }
        let ended = earlier.is_some_and(|start| start > key.start);
        if ended {
            self.ended.push_back((key, time));
        } else {
            self.current.insert(key.pid, key.start);
        }
        let adopted = adopted && key != place.lineage;
        self.roots.join(key, &place);
        self.forks_missed += u64::from(adopted);
        let process = Process {
            node: place.node,
            context: place.context,
            root: place.root,
            lineage: place.lineage,
            stamp: next(&mut self.stamps),
            adopted,
            ended,
            seen: time,
        };
        self.processes.insert(key, process);
        self.forget(time);
        if self.processes.len() > TABLE_MOST {
            self.forget_silent(key);
        }
    }

    fn forget(&mut self, now: u64) {
        while let Some(&(key, at)) = self.ended.front() {
            if self.ended.len() <= REMEMBERED_MOST && now.saturating_sub(at) <= REMEMBERED {
                break;
            }
            self.ended.pop_front();
            if self.processes.get(&key).is_some_and(|p| p.ended) {
                self.remove(key);
            }
        }
    }

    /// Half of the table, those that were silent the longest. They come back by their root's name.
    fn forget_silent(&mut self, except: ProcessKey) {
        let mut all: Vec<_> = self.processes.iter().map(|(k, p)| (p.seen, *k)).collect();
        all.sort_unstable();
        for &(_, key) in all
            .iter()
            .take(TABLE_MOST / 2)
            .filter(|(_, k)| *k != except)
        {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: ProcessKey) {
        let Some(process) = self.processes.remove(&key) else {
            return;
        };
        if self.current.get(&key.pid) == Some(&key.start) {
            self.current.remove(&key.pid);
        }
        self.roots.leave(&process.place());
    }
}

fn next(stamps: &mut u64) -> u64 {
    *stamps += 1;
    *stamps
}
