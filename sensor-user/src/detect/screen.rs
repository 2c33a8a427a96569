//! Which rules can match an event at all: for nearly every event none can.
//!
//! The engine looks every condition's field up by name and searches a text once for each literal. Here
//! a rule is a small expression over conditions that are known by number, and all literals are found
//! in one pass over a text. What a process's own fields decide is worked out once for each state of
//! the process; of each rule only what an act can still decide is left, and mostly nothing is. The
//! engine remains the judge: a rule that passes here is put before it, and what this screen does not
//! understand passes.

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
    rules: [Vec<Open>; Category::ALL.len()],
}

/// The number of a rule, and what it asks.
type Open = (usize, Node);

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
    Literals(Wanted),
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
    open: [Option<Rc<[Open]>>; Category::ALL.len()],
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
    /// Takes the rule of that number.
    pub(super) fn add(&mut self, category: Category, number: usize, rule: &CompiledRule) {
        self.ready = false;
        let node = compile::rule(&mut self.items, &mut self.literals, rule);
        self.rules[category as usize].push((number, node));
    }

    /// All rules are in it.
    pub(super) fn build(&mut self) {
        self.ready = self.literals.build();
    }

    /// The numbers of the rules that may match.
    pub(super) fn candidates(&self, subject: &Subject) -> Vec<usize> {
        if !self.ready {
            let all = &self.rules[subject.category as usize];
            return all.iter().map(|(number, _)| *number).collect();
        }
        let open = self.open(subject);
        if open.is_empty() {
            return Vec::new();
        }
        let found = Found::default();
        open.iter()
            .filter(|(_, node)| self.verdict(node, subject, &found) != Some(false))
            .map(|(number, _)| *number)
            .collect()
    }

    /// What the fields of the act have to decide.
    fn open(&self, subject: &Subject) -> Rc<[Open]> {
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
        let found = Found::default();
        let open: Rc<[Open]> = self.rules[category]
            .iter()
            .map(|(number, node)| {
                let left = self.settled(node, subject, &found, &mut memory.items);
                (*number, left)
            })
            .filter(|(_, left)| !matches!(left, Node::Known(Some(false))))
            .collect();
        memory.open[category] = Some(Rc::clone(&open));
        open
    }

    /// The condition without what the process's fields decide of it.
    fn settled(&self, node: &Node, subject: &Subject, found: &Found, seen: &mut [Verdict]) -> Node {
        match node {
            Node::Known(verdict) => Node::Known(*verdict),
            Node::Item(index) if self.items[*index].of_process => {
                let holds = *seen[*index].get_or_insert_with(|| self.holds(*index, subject, found));
                Node::Known(Some(holds))
            }
            Node::Item(index) => Node::Item(*index),
            Node::Not(inner) => match self.settled(inner, subject, found, seen) {
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
                    match self.settled(node, subject, found, seen) {
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
            Test::Literals(wanted) => self.literals.holds(*field, wanted, subject, found),
            Test::Matches(matcher) => match subject.value(*field) {
                Some(value) => matcher.matches(&value, subject),
                None => matcher.matches_absent(),
            },
        }
    }
}
