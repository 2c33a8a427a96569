//! What a rule is asked about: one event with everything that is known around it.

use std::rc::Rc;

use super::field::{Category, Field};

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text; shared, since a process's command line is asked about many times.
    Text(Rc<str>),
    /// A number: a port, a pid, a uid.
    Number(i64),
    /// Rules write `true` or `false`.
    Flag(bool),
}

/// The fields of one event. A field that is not set is absent: a rule's condition on it is false.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Which rules are asked.
    pub category: Category,
    values: Vec<Option<Value>>,
}

impl Subject {
    /// No field set.
    pub fn new(category: Category) -> Self {
        Self {
            category,
            values: vec![None; Field::ALL.len()],
        }
    }

    /// Sets a field; `None` leaves it absent.
    pub fn set(&mut self, field: Field, value: Option<impl Into<Value>>) {
        self.values[field as usize] = value.map(Into::into);
    }

    /// The field's value, where it has one.
    pub fn get(&self, field: Field) -> Option<&Value> {
        self.values[field as usize].as_ref()
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
