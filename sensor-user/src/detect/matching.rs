//! The engine's view of a [`Subject`]: typed values, looked up by name, nothing copied.

use std::borrow::Cow;

use rsigma_eval::{Event, EventValue};

use super::field::Field;
use super::subject::{Subject, Value};

/// Fields whose literals become watch entries, which the kernel compares byte by byte after
/// lower-casing ASCII.
pub(super) const PATH_FIELDS: [Field; 3] = [
    Field::TargetFilename,
    Field::FileName,
    Field::SourceFilename,
];

impl Subject {
    /// The engine's value of a field.
    pub(super) fn value(&self, field: Field) -> Option<EventValue<'_>> {
        Some(match self.get(field)? {
            Value::Number(number) => EventValue::Int(*number),
            Value::Flag(flag) => EventValue::Bool(*flag),
            Value::Text(_) | Value::Word(_) | Value::Mode(_) => EventValue::Str(self.text(field)?),
        })
    }

    /// The same as the text that literals are looked for in.
    pub(super) fn text(&self, field: Field) -> Option<Cow<'_, str>> {
        Some(match self.get(field)? {
            Value::Text(text) if PATH_FIELDS.contains(&field) => fold_safe(text),
            value => value.text(),
        })
    }
}

impl Event for Subject {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.value(path.parse().ok()?)
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.fields().any(|(_, value)| pred(&value.text()))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.fields().map(|(_, value)| value.text()).collect()
    }

    fn to_json(&self) -> serde_json::Value {
        self.fields()
            .map(|(field, value)| {
                let value = match value {
                    Value::Number(number) => (*number).into(),
                    Value::Flag(flag) => (*flag).into(),
                    words => serde_json::Value::from(words.text()),
                };
                (field.name().to_owned(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// Ignoring case, Unicode makes three letters equal to ASCII ones: the Kelvin sign, the dotted
/// capital I and the long s. The kernel's filter does not, so a path with one of them must not
/// match a rule that its ASCII twin would.
fn fold_safe(path: &str) -> Cow<'_, str> {
    let folds = |c| matches!(c, '\u{212a}' | '\u{130}' | '\u{17f}');
    if path.is_ascii() || !path.contains(folds) {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(path.replace(folds, "\u{fffd}"))
    }
}
