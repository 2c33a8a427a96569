//! The literals that rules look for in a text, all of them found in one pass over it.

use std::cell::RefCell;
use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use rsigma_eval::matcher::ascii_lowercase_cow;

use crate::detect::field::Field;
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

/// The literals of each field.
#[derive(Debug)]
pub(super) struct Literals([OfField; Field::ALL.len()]);

#[derive(Debug, Default)]
struct OfField {
    numbers: HashMap<String, usize>,
    automaton: Option<AhoCorasick>,
}

/// What was found in one event, of the few fields that were asked for.
#[derive(Default)]
pub(super) struct Found(RefCell<Vec<(Field, Option<Vec<u8>>)>>);

impl Default for Literals {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OfField::default()))
    }
}

impl Literals {
    /// The number of a literal, in lower case, among the field's.
    pub(super) fn number(&mut self, field: Field, literal: &str) -> usize {
        let numbers = &mut self.0[field as usize].numbers;
        if let Some(number) = numbers.get(literal) {
            return *number;
        }
        let number = numbers.len();
        numbers.insert(literal.to_owned(), number);
        number
    }

    /// Makes ready for looking. Whether that worked: there are limits that no honest set reaches.
    pub(super) fn build(&mut self) -> bool {
        let mut used = self.0.iter_mut().filter(|of| !of.numbers.is_empty());
        used.all(|of| {
            let mut literals: Vec<_> = of.numbers.iter().collect();
            literals.sort_by_key(|(_, number)| **number);
            let literals = literals.into_iter().map(|(literal, _)| literal);
            of.automaton = AhoCorasick::new(literals).ok();
            of.automaton.is_some()
        })
    }

    /// Whether one of these stands in the event's field.
    pub(super) fn holds(
        &self,
        field: Field,
        wanted: &Wanted,
        subject: &Subject,
        found: &Found,
    ) -> bool {
        let mut found = found.0.borrow_mut();
        let known = found.iter().position(|(known, _)| *known == field);
        let at = known.unwrap_or_else(|| {
            found.push((field, self.look(field, subject)));
            found.len() - 1
        });
        found[at].1.as_ref().is_some_and(|flags| {
            wanted
                .iter()
                .any(|&(number, place)| flags[number] & place as u8 != 0)
        })
    }

    /// For each literal the places it was found at; `None` where none was.
    fn look(&self, field: Field, subject: &Subject) -> Option<Vec<u8>> {
        let of = &self.0[field as usize];
        let automaton = of.automaton.as_ref()?;
        let text = subject.text(field)?;
        let text = ascii_lowercase_cow(&text);
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
