//! Where processes stand: below whom, as part of what, and in which session.

use std::rc::Rc;

use foldhash::HashMap;

use super::Process;
use super::image::Node;
use super::scope::Context;
use crate::event::ProcessKey;

/// Where a process stands, or is to stand.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) node: Rc<Node>,
    pub(super) context: Rc<Context>,
    /// As in [`Process`].
    pub(super) root: ProcessKey,
    pub(super) lineage: ProcessKey,
}

impl Place {
    /// That of a process of a lineage of which nothing else is known.
    pub(super) fn first(process: ProcessKey, lineage: ProcessKey) -> Self {
        Self {
            node: Node::root(process, None),
            context: Rc::default(),
            root: lineage,
            lineage,
        }
    }

    /// Where its session and its lineage began, each once.
    fn begins(&self) -> impl Iterator<Item = ProcessKey> {
        let session = (self.root != self.lineage).then_some(self.root);
        std::iter::once(self.lineage).chain(session)
    }

    /// That of a child. What a CI worker makes is a step: a session of its own where nothing above is
    /// part of an install or runs a library. Below such code a worker may be one in name only, and begin
    /// steps to part what belongs together: there only the scope is added.
    pub(super) fn below(self, child: ProcessKey) -> Self {
        let node = self.node.fork(child);
        let works = self.node.image.as_ref().is_some_and(|image| image.worker);
        if !works || self.context.ci_step {
            return Self { node, ..self };
        }
        let mut context = self.context;
        let begins = context.is_nobodys();
        Rc::make_mut(&mut context).enter_step();
        Self {
            node,
            context,
            root: if begins { child } else { self.root },
            lineage: self.lineage,
        }
    }
}

/// Where a lineage or a CI step began.
#[derive(Debug)]
struct Root {
    node: Rc<Node>,
    context: Rc<Context>,
    members: usize,
}

/// Where all of them began, as long as one of their processes is known.
#[derive(Debug, Default)]
pub(super) struct Roots(HashMap<ProcessKey, Root>);

impl Roots {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn are_known(&self, root: ProcessKey) -> bool {
        self.0.contains_key(&root)
    }

    /// That of the process with which a lineage began.
    pub(super) fn place(&self, lineage: ProcessKey) -> Place {
        match self.0.get(&lineage) {
            None => Place::first(lineage, lineage),
            Some(root) => Place {
                node: Rc::clone(&root.node),
                context: Rc::clone(&root.context),
                root: lineage,
                lineage,
            },
        }
    }

    /// A process took its place.
    pub(super) fn join(&mut self, key: ProcessKey, place: &Place) {
        for root in place.begins() {
            let entry = self.0.entry(root).or_insert_with(|| Root {
                node: match key == root {
                    true => Rc::clone(&place.node),
                    false => Node::root(root, None),
                },
                context: Rc::clone(&place.context),
                members: 0,
            });
            entry.members += 1;
        }
    }

    /// And left it.
    pub(super) fn leave(&mut self, place: &Place) {
        for root in place.begins() {
            if let Some(entry) = self.0.get_mut(&root) {
                entry.members -= 1;
                if entry.members == 0 {
                    self.0.remove(&root);
                }
            }
        }
    }

    /// What is found later without its fork is placed below what the root is now.
    pub(super) fn renew(&mut self, process: &Process) {
        if let Some(root) = self.0.get_mut(&process.node.key) {
            root.node = Rc::clone(&process.node);
            root.context = Rc::clone(&process.context);
        }
    }
}
