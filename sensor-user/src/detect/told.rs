//! An event from its fields as an alert tells them.

use std::collections::BTreeMap;

use super::field::{Category, Field};
use super::subject::{Subject, Value};

/// Fields that are numbers: rules may compare them.
const NUMBERS: [Field; 5] = [
    Field::ProcessId,
    Field::ParentProcessId,
    Field::Uid,
    Field::DestinationPort,
    Field::SourcePort,
];

impl Subject {
    /// The event that an alert's `evidence.fields` tell of; fields of another version are left out.
    pub fn told(category: Category, fields: &BTreeMap<String, String>) -> Self {
        let mut subject = Subject::new(category);
        for (name, text) in fields {
            let Ok(field) = name.parse::<Field>() else {
                continue;
            };
            let value = match (text.as_str(), text.parse::<i64>()) {
                ("true", _) => Value::Flag(true),
                ("false", _) => Value::Flag(false),
                (_, Ok(number)) if NUMBERS.contains(&field) => Value::Number(number),
                _ => Value::from(text.as_str()),
            };
            subject.set(field, Some(value));
        }
        subject
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_alert_tells_is_the_event_again() {
        let mut subject = Subject::new(Category::NetworkConnection);
        subject.set(Field::DestinationPort, Some(4444_u32));
        subject.set(Field::DestinationTrusted, Some(false));
        subject.set(Field::Image, Some("4444"));
        let fields: BTreeMap<String, String> = subject
            .fields()
            .map(|(field, value)| (field.name().to_owned(), value.text().into_owned()))
            .collect();
        let told = Subject::told(Category::NetworkConnection, &fields);
        assert!(told.fields().eq(subject.fields()));
    }
}
