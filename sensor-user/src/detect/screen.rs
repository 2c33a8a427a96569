//! Whether any rule can match an event at all: for nearly every event none can.
//!
//! The engine looks every condition's field up by name and tries one rule after the other. Here a
//! rule is a small expression over conditions that are known by number. What a process's own fields
//! decide is worked out once for each state of the process; of each rule only what an act can still
//! decide is left, and mostly nothing is. The engine remains the judge: what passes here is put
//! before it, and what this screen does not understand passes.

mod compile;
mod literal;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use rsigma_eval::{CompiledMatcher, CompiledRule};

use super::field::{Category, Field};
use super::subject::{ProcessFields, Subject};
use literal::{Found, Literals, Wanted};

/// `None` is "it may".
type Verdict = Option<bool>;

/// The rules of all categories.
#[derive(Debug)]
pub(super) struct Screen {
    /// Tells this set of rules from every other, for what processes remember of it.
    number: u64,
    items: Vec<Item>,
    literals: Literals,
    /// The literals can be looked for; otherwise everything passes.
    ready: bool,
    rules: [Vec<Node>; Category::ALL.len()],
}

/// A condition on one field.
#[derive(Debug)]
struct Item {
    field: Field,
    /// The same for all acts of a process.
    of_process: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Exists(bool),
    /// Of a path: at this position among the path fields.
    Literals(usize, Wanted),
    Matches(CompiledMatcher),
}

/// A condition made of others.
#[derive(Debug, Clone)]
enum Node {
    Known(Verdict),
    Item(usize),
    Not(Box<Node>),
    /// At least so many of these hold: "and" and "or" are the ends of it.
    AtLeast(usize, Vec<Node>),
}

/// What the fields of a process decide, of the rules that were last asked about it.
#[derive(Debug, Default)]
pub(super) struct Known(RefCell<Memory>);

#[derive(Debug, Default)]
struct Memory {
    screen: u64,
    items: Vec<Verdict>,
    open: [Option<Rc<[Node]>>; Category::ALL.len()],
}

/// Whoever copies a process's fields is about to change them.
impl Clone for Known {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Default for Screen {
    fn default() -> Self {
        static SCREENS: AtomicU64 = AtomicU64::new(1);
        Self {
            number: SCREENS.fetch_add(1, Ordering::Relaxed),
            items: Vec::new(),
            literals: Literals::default(),
            ready: false,
            rules: Default::default(),
        }
    }
}

impl Screen {
    /// Takes the rules of a category.
    pub(super) fn add(&mut self, category: Category, rules: &[CompiledRule]) {
        self.ready = false;
        self.rules[category as usize] = compile::rules(&mut self.items, &mut self.literals, rules);
    }

    /// All rules are in it.
    pub(super) fn build(&mut self) {
        self.ready = self.literals.build();
    }

    /// Whether a rule may match.
    pub(super) fn lets_pass(&self, subject: &Subject) -> bool {
        if !self.ready {
            return true;
        }
        let open = self.open(subject);
        let found = Found::default();
        open.iter()
            .any(|node| self.verdict(node, subject, &found) != Some(false))
    }

    /// What the fields of the act have to decide.
    fn open(&self, subject: &Subject) -> Rc<[Node]> {
        let ProcessFields { known, .. } = &*subject.process;
        let mut memory = known.0.borrow_mut();
        if memory.screen != self.number {
            *memory = Memory {
                screen: self.number,
                ..Memory::default()
            };
        }
        let category = subject.category as usize;
        if let Some(open) = &memory.open[category] {
            return Rc::clone(open);
        }
        memory.items.resize(self.items.len(), None);
        let open: Rc<[Node]> = self.rules[category]
            .iter()
            .map(|node| self.settled(node, subject, &mut memory.items))
            .filter(|node| !matches!(node, Node::Known(Some(false))))
            .collect();
        memory.open[category] = Some(Rc::clone(&open));
        open
    }

    /// The condition without what the process's fields decide of it.
    fn settled(&self, node: &Node, subject: &Subject, seen: &mut [Verdict]) -> Node {
        match node {
            Node::Known(verdict) => Node::Known(*verdict),
            Node::Item(index) if self.items[*index].of_process => {
                let holds = *seen[*index]
                    .get_or_insert_with(|| self.holds(*index, subject, &Found::default()));
                Node::Known(Some(holds))
            }
            Node::Item(index) => Node::Item(*index),
            Node::Not(inner) => match self.settled(inner, subject, seen) {
                Node::Known(verdict) => Node::Known(verdict.map(|holds| !holds)),
                open => Node::Not(Box::new(open)),
            },
            Node::AtLeast(needed, nodes) => {
                let mut needed = *needed;
                let mut open = Vec::new();
                for (index, node) in nodes.iter().enumerate() {
                    if needed > open.len() + nodes.len() - index {
                        return Node::Known(Some(false));
                    }
                    match self.settled(node, subject, seen) {
                        Node::Known(Some(true)) if needed <= 1 => return Node::Known(Some(true)),
                        Node::Known(Some(true)) => needed -= 1,
                        Node::Known(Some(false)) => {}
                        left => open.push(left),
                    }
                }
                match (needed, open.len()) {
                    (0, _) => Node::Known(Some(true)),
                    (needed, left) if needed > left => Node::Known(Some(false)),
                    (1, 1) => open.swap_remove(0),
                    _ => Node::AtLeast(needed, open),
                }
            }
        }
    }

    fn verdict(&self, node: &Node, subject: &Subject, found: &Found) -> Verdict {
        match node {
            Node::Known(verdict) => *verdict,
            Node::Item(index) => Some(self.holds(*index, subject, found)),
            Node::Not(inner) => self.verdict(inner, subject, found).map(|holds| !holds),
            Node::AtLeast(needed, nodes) => {
                let (mut hold, mut may) = (0, 0);
                for (index, node) in nodes.iter().enumerate() {
                    if hold >= *needed {
                        break;
                    }
                    if hold + may + (nodes.len() - index) < *needed {
                        return Some(false);
                    }
                    match self.verdict(node, subject, found) {
                        Some(true) => hold += 1,
                        None => may += 1,
                        Some(false) => {}
                    }
                }
                if hold >= *needed {
                    Some(true)
                } else {
                    (hold + may < *needed).then_some(false)
                }
            }
        }
    }

    fn holds(&self, item: usize, subject: &Subject, found: &Found) -> bool {
        let Item { field, test, .. } = &self.items[item];
        match test {
            Test::Exists(expected) => subject.get(*field).is_some() == *expected,
            Test::Literals(position, wanted) => {
                self.literals.holds(*position, wanted, subject, found)
            }
            Test::Matches(matcher) => match subject.value(*field) {
                Some(value) => matcher.matches(&value, subject),
                None => matcher.matches_absent(),
            },
        }
    }
}
