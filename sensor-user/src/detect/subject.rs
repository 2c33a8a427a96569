//! What a rule is asked about: one event with everything that is known around it.

use std::borrow::Cow;
use std::rc::Rc;

use super::field::{Category, Field};
use super::screen::Known;

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text; shared, since a process's command line is asked about many times.
    Text(Rc<str>),
    /// One of a fixed set of words.
    Word(&'static str),
    /// Permission bits, which rules see as four octal digits.
    Mode(u32),
    /// A number: a port, a pid, a uid.
    Number(i64),
    /// Rules write `true` or `false`.
    Flag(bool),
}

impl Value {
    /// As text that rules match and alerts show.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Text(text) => (&**text).into(),
            Value::Word(word) => (*word).into(),
            Value::Mode(mode) => octal(*mode).into(),
            Value::Number(number) => number.to_string().into(),
            Value::Flag(true) => "true".into(),
            Value::Flag(false) => "false".into(),
        }
    }
}

/// Permission bits as rules and alerts see them.
pub(super) fn octal(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}

/// The fields of a process, which all its acts have: made once for each state of a process.
#[derive(Debug, Clone)]
pub struct ProcessFields {
    values: [Option<Value>; Field::OF_PROCESS],
    /// What they already decide of each rule.
    pub(super) known: Known,
}

impl Default for ProcessFields {
    fn default() -> Self {
        Self {
            values: [const { None }; _],
            known: Known::default(),
        }
    }
}

impl ProcessFields {
    /// Sets a field; `None` leaves it absent. Of a process only: an act's own are the subject's.
    pub fn set(&mut self, field: Field, value: Option<impl Into<Value>>) {
        self.values[field as usize] = value.map(Into::into);
        self.known = Known::default();
    }

    /// The field's value, where it has one.
    pub(super) fn get(&self, field: Field) -> Option<&Value> {
        self.values[field as usize].as_ref()
    }
}

/// The fields of one event. A field that is not set is absent: a rule's condition on it is false.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Which rules are asked.
    pub category: Category,
    pub(super) process: Rc<ProcessFields>,
    /// Those of the act.
    values: [Option<Value>; Field::ALL.len() - Field::OF_PROCESS],
}

impl Subject {
    /// No field set.
    pub fn new(category: Category) -> Self {
        Self::of(category, Rc::default())
    }

    /// An act of a process, none of its own fields set.
    pub fn of(category: Category, process: Rc<ProcessFields>) -> Self {
        Self {
            category,
            process,
            values: [const { None }; _],
        }
    }

    /// Sets a field; `None` leaves it absent.
    pub fn set(&mut self, field: Field, value: Option<impl Into<Value>>) {
        match (field as usize).checked_sub(Field::OF_PROCESS) {
            Some(own) => self.values[own] = value.map(Into::into),
            None => Rc::make_mut(&mut self.process).set(field, value),
        }
    }

    /// The field's value, where it has one.
    pub fn get(&self, field: Field) -> Option<&Value> {
        match (field as usize).checked_sub(Field::OF_PROCESS) {
            Some(own) => self.values[own].as_ref(),
            None => self.process.get(field),
        }
    }

    /// The fields that are set, in the order of [`Field::ALL`].
    pub fn fields(&self) -> impl Iterator<Item = (Field, &Value)> {
        Field::ALL
            .iter()
            .filter_map(|&field| Some((field, self.get(field)?)))
    }
}

impl From<Rc<str>> for Value {
    fn from(text: Rc<str>) -> Self {
        Value::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl From<Cow<'static, str>> for Value {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(word) => Value::Word(word),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}
