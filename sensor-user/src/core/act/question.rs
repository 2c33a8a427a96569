//! The fields of a question for a name.

use std::rc::Rc;

use crate::detect::{Field, Subject, Value};
use crate::event::{Dns, DnsData, DnsQuestion};
use crate::names;

use super::super::moment::Moment;

/// What an answer tells, as Sysmon has it: aliases and addresses, with a semicolon before, between and
/// after.
pub(super) fn answered(subject: &mut Subject, dns: &Dns, question: &DnsQuestion) {
    subject.set(Field::QueryName, Some(names::from_wire(&question.name)));
    subject.set(Field::QueryType, Some(kind(question)));
    let mut results = String::from(";");
    for answer in &dns.message.answers {
        match &answer.data {
            DnsData::Address(ip) => results.push_str(&names::canonical(*ip).to_string()),
            DnsData::Alias(name) => results.push_str(&names::from_wire(name)),
            DnsData::Other(_) => continue,
        }
        results.push(';');
    }
    let told = results.len() > 1;
    subject.set(Field::QueryResults, told.then_some(results));
}

fn kind(question: &DnsQuestion) -> Value {
    match names::question_kind(question.kind) {
        Some(word) => Value::Word(word),
        None => Value::Number(question.kind.into()),
    }
}

pub(super) fn fill(subject: &mut Subject, question: &DnsQuestion, moment: &Moment<'_>) {
    subject.set(Field::QueryType, Some(kind(question)));
    let Some(shape) = &moment.shape else {
        return;
    };
    let number = |number: usize| Some(Value::Number(i64::try_from(number).unwrap_or(i64::MAX)));
    subject.set(Field::QueryName, Some(Rc::clone(&shape.name)));
    subject.set(Field::QueryLength, number(shape.name.len()));
    subject.set(Field::QueryLabels, number(shape.labels));
    subject.set(Field::QueryLongNames, number(shape.long_names));
    subject.set(Field::QueryTexts, number(shape.texts as usize));
}
