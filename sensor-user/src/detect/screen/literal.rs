//! The literals that rules look for in a path, all of them found in one pass over it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use rsigma_eval::matcher::ascii_lowercase_cow;

use crate::detect::field::Field;
use crate::detect::matching::PATH_FIELDS;
use crate::detect::subject::Subject;

/// Where in the text a literal has to stand, as a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    Anywhere = 1,
    Start = 2,
    End = 4,
    Whole = 8,
}

/// One of these is looked for: the number of a literal, and where.
pub(super) type Wanted = Vec<(usize, Place)>;

/// The literals of each path field.
#[derive(Debug, Default)]
pub(super) struct Literals([OfField; PATH_FIELDS.len()]);

#[derive(Debug, Default)]
struct OfField {
    numbers: HashMap<String, usize>,
    automaton: Option<AhoCorasick>,
}

/// What was found in one event, as far as it was asked.
#[derive(Default)]
pub(super) struct Found([OnceCell<Option<Vec<u8>>>; PATH_FIELDS.len()]);

/// The position of a path field among them.
pub(super) fn position(field: Field) -> Option<usize> {
    PATH_FIELDS.iter().position(|known| *known == field)
}

impl Literals {
    /// The number of a literal, in lower case, of the path field at that position.
    pub(super) fn number(&mut self, position: usize, literal: &str) -> usize {
        let numbers = &mut self.0[position].numbers;
        if let Some(number) = numbers.get(literal) {
            return *number;
        }
        let number = numbers.len();
        numbers.insert(literal.to_owned(), number);
        number
    }

    /// Makes ready for looking. Whether that worked: there are limits that no honest set reaches.
    pub(super) fn build(&mut self) -> bool {
        self.0.iter_mut().all(|of| {
            let mut literals: Vec<_> = of.numbers.iter().collect();
            literals.sort_by_key(|(_, number)| **number);
            let literals = literals.into_iter().map(|(literal, _)| literal);
            of.automaton = AhoCorasick::new(literals).ok();
            of.automaton.is_some()
        })
    }

    /// Whether one of these stands in the event's path.
    pub(super) fn holds(
        &self,
        position: usize,
        wanted: &Wanted,
        subject: &Subject,
        found: &Found,
    ) -> bool {
        let flags = found.0[position].get_or_init(|| self.look(position, subject));
        flags.as_ref().is_some_and(|flags| {
            wanted
                .iter()
                .any(|&(number, place)| flags[number] & place as u8 != 0)
        })
    }

    /// For each literal the places it was found at; `None` where none was.
    fn look(&self, position: usize, subject: &Subject) -> Option<Vec<u8>> {
        let of = &self.0[position];
        let automaton = of.automaton.as_ref()?;
        let value = subject.value(PATH_FIELDS[position])?;
        let text = value.as_str()?;
        let text: Cow<'_, str> = ascii_lowercase_cow(&text);
        let mut flags = None;
        for hit in automaton.find_overlapping_iter(&*text) {
            let flags = flags.get_or_insert_with(|| vec![0; of.numbers.len()]);
            let mut places = Place::Anywhere as u8;
            if hit.start() == 0 {
                places |= Place::Start as u8;
            }
            if hit.end() == text.len() {
                places |= Place::End as u8;
                if hit.start() == 0 {
                    places |= Place::Whole as u8;
                }
            }
            flags[hit.pattern().as_usize()] |= places;
        }
        flags
    }
}
