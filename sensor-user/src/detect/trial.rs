//! The test of a rule, as its author wrote it: events that it must find, and events that come close.
//! docs/rules.md has the format.

use serde_json::Value as Json;

use super::field::Field;
use super::problem::{LoadErrors, Problem, suggest};
use super::rule::Rule;
use super::subject::{Subject, Value};
use super::yaml::{Data, Node, SourceFile};
use crate::event::Event;

const KEYS: [&str; 5] = [
    "positive",
    "near_miss",
    "also",
    "silent",
    "recorded_near_miss",
];

/// What a rule is tried on.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// Why, and an event that must be found. The first one is `positive`.
    pub finds: Vec<(String, Subject)>,
    /// Why, and an event that must not be. The first one is the near miss.
    pub silent: Vec<(String, Subject)>,
    /// What makes a recording one that must not be found.
    pub recorded: Option<NearMiss>,
}

/// One value of a recording, and another.
#[derive(Debug, Clone)]
pub struct NearMiss {
    /// The kind of the event: the last one of it is meant.
    pub event: String,
    /// A JSON pointer into it.
    pub at: String,
    /// What stands there; left out where it differs with each recording.
    pub from: Option<Json>,
    /// With which the rule must be silent; null: nothing.
    pub to: Json,
}

impl Trial {
    /// Reads a test; all its mistakes at once.
    pub fn read(rule: &Rule, name: &str, text: &str) -> Result<Self, LoadErrors> {
        let file = SourceFile {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let documents = Node::documents(&file).map_err(|problem| LoadErrors(vec![problem]))?;
        let mut reader = Reader {
            file: &file,
            rule,
            problems: Vec::new(),
        };
        let trial = match documents.as_slice() {
            [document] => reader.trial(document),
            _ => {
                let message = "the test of a rule is one mapping".to_owned();
                reader.problems.push(file.problem_at(1, 1, message));
                Trial::default()
            }
        };
        match reader.problems.is_empty() {
            true => Ok(trial),
            false => Err(LoadErrors(reader.problems)),
        }
    }
}

impl NearMiss {
    /// The events with that one value changed, or why that can't be.
    pub fn apply(&self, events: &[Event]) -> Result<Vec<Event>, String> {
        let json = |event: &Event| serde_json::to_value(event).map_err(|error| error.to_string());
        let mut lines = events.iter().map(json).collect::<Result<Vec<_>, _>>()?;
        let Self {
            event,
            at,
            from,
            to,
        } = self;
        let value = lines
            .iter_mut()
            .rfind(|line| line["event"] == **event)
            .and_then(|line| line.pointer_mut(at))
            .ok_or_else(|| format!("the last {event} event has no {at}"))?;
        if from.as_ref().is_some_and(|from| from != value) {
            return Err(format!("{at} is {value}"));
        }
        *value = to.clone();
        if to.is_null() {
            take_away(&mut lines, event, at);
        }
        let event = |line| serde_json::from_value(line).map_err(|error| error.to_string());
        let changed: Vec<Event> = lines.into_iter().map(event).collect::<Result<_, _>>()?;
        match events.iter().zip(&changed).filter(|(a, b)| a != b).count() {
            1 => Ok(changed),
            differ => Err(format!("{differ} events differ")),
        }
    }
}

/// Takes what stands there out of the last event of that kind.
fn take_away(lines: &mut [Json], event: &str, at: &str) {
    let last = lines.iter_mut().rfind(|line| line["event"] == *event);
    let Some((folder, name)) = at.rsplit_once('/') else {
        return;
    };
    if let Some(Json::Object(values)) = last.and_then(|line| line.pointer_mut(folder)) {
        values.remove(name);
    }
}

struct Reader<'r> {
    file: &'r SourceFile,
    rule: &'r Rule,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn trial(&mut self, document: &Node) -> Trial {
        let mut trial = Trial::default();
        for (key, _) in document.map().unwrap_or_default() {
            let name = key.text().unwrap_or_default();
            if !KEYS.contains(&name) {
                self.at(key, format!("unknown key `{name}` of a test"));
                if let Some(last) = self.problems.last_mut() {
                    last.suggestion = suggest(name, KEYS);
                }
            }
        }
        if let Some(positive) = document.get("positive") {
            let mut subject = Subject::new(self.rule.category);
            self.set_all(&mut subject, positive);
            match document
                .get("near_miss")
                .map(|near| (near, near.get("field"), near.get("value")))
            {
                Some((_, Some(field), Some(value))) => {
                    let mut near = subject.clone();
                    self.set(&mut near, field, value);
                    if near.fields().eq(subject.fields()) {
                        self.at(field, "the near miss is the positive".to_owned());
                    }
                    trial.silent.push(("near miss".to_owned(), near));
                }
                _ => self.at(
                    document,
                    "`near_miss` needs a `field` and its other `value`".to_owned(),
                ),
            }
            trial
                .finds
                .extend(self.variations(document, "also", &subject));
            trial
                .finds
                .insert(0, ("positive".to_owned(), subject.clone()));
            trial
                .silent
                .extend(self.variations(document, "silent", &subject));
        } else if document.get("recorded_near_miss").is_none() {
            self.at(
                document,
                "`positive` is missing: the fields of an event to find".to_owned(),
            );
        }
        if let Some(near) = document.get("recorded_near_miss") {
            trial.recorded = self.near_miss(near);
        }
        trial
    }

    fn variations(&mut self, document: &Node, key: &str, from: &Subject) -> Vec<(String, Subject)> {
        let mut variations = Vec::new();
        for item in document.get(key).map_or(&[][..], Node::items) {
            let (Some(why), Some(fields)) = (item.get("why").and_then(Node::text), item.get("set"))
            else {
                self.at(
                    item,
                    format!("an item of `{key}` says `why` and what to `set`"),
                );
                continue;
            };
            let mut subject = from.clone();
            self.set_all(&mut subject, fields);
            variations.push((why.to_owned(), subject));
        }
        variations
    }

    fn set_all(&mut self, subject: &mut Subject, fields: &Node) {
        match fields.map() {
            Some(fields) => {
                for (name, value) in fields {
                    self.set(subject, name, value);
                }
            }
            None => self.at(fields, "these must be fields and their values".to_owned()),
        }
    }

    fn set(&mut self, subject: &mut Subject, name: &Node, value: &Node) {
        let text = name.text().unwrap_or_default();
        let category = self.rule.category;
        let Some(field) = text
            .parse::<Field>()
            .ok()
            .filter(|field| field.is_in(category))
        else {
            let names = Field::ALL.iter().filter(|field| field.is_in(category));
            let suggestion = suggest(text, names.map(|field| field.name()));
            self.at(
                name,
                format!("events of {} have no field `{text}`", category.name()),
            );
            if let Some(last) = self.problems.last_mut() {
                last.suggestion = suggestion;
            }
            return;
        };
        let value: Option<Value> = match &value.data {
            Data::Null => None,
            Data::Bool(flag) => Some((*flag).into()),
            Data::Integer(number) => Some((*number).into()),
            Data::Text(text) => Some(text.as_str().into()),
            _ => return self.at(value, "a field has one value".to_owned()),
        };
        subject.set(field, value);
    }

    fn near_miss(&mut self, node: &Node) -> Option<NearMiss> {
        let text = |key| node.get(key).and_then(Node::text).map(str::to_owned);
        let value = |key| match &node.get(key)?.data {
            Data::Bool(flag) => Some(Json::from(*flag)),
            Data::Integer(number) => Some(Json::from(*number)),
            Data::Text(text) => Some(Json::from(text.as_str())),
            Data::Null if key == "to" => Some(Json::Null),
            _ => None,
        };
        let near = (text("event"), text("at"), value("to"));
        let (Some(event), Some(at), Some(to)) = near else {
            self.at(
                node,
                "`recorded_near_miss` needs `event`, `at` and `to`".to_owned(),
            );
            return None;
        };
        Some(NearMiss {
            event,
            at,
            from: value("from"),
            to,
        })
    }

    fn at(&mut self, node: &Node, message: String) {
        let problem = self.file.problem_at(node.line, node.column, message);
        self.problems.push(problem);
    }
}
