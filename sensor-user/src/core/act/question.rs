//! The fields of a question for a name.

use std::rc::Rc;

use crate::detect::{Field, Subject, Value};
use crate::event::DnsQuestion;
use crate::names;

use super::super::moment::Moment;

pub(super) fn fill(subject: &mut Subject, question: &DnsQuestion, moment: &Moment<'_>) {
    let kind = match names::question_kind(question.kind) {
        Some(word) => Value::Word(word),
        None => Value::Number(question.kind.into()),
    };
    subject.set(Field::QueryType, Some(kind));
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
