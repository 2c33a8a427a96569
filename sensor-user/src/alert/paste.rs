//! Alerts as people hand them on: one as JSON, several as NDJSON, or the journal's own entry.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::report;
use super::schema::{Alert, SCHEMA};
use crate::health::{self, Health};

/// What was found in a pasted text.
#[derive(Debug, Clone, PartialEq)]
pub enum Pasted {
    /// An alert.
    Alert(Box<Alert>),
    /// The sensor about itself.
    Health(Box<Health>),
}

/// Why a pasted text can't be read. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasteError {
    /// Nothing in it.
    #[error(
        "there is nothing to explain; give an alert as JSON, several as NDJSON, or an entry from \
         `journalctl -o json --all`"
    )]
    Empty,
    /// It is not JSON.
    #[error("line {line}, column {column}: not JSON: {problem}")]
    Syntax {
        /// Of the input.
        line: usize,
        /// In bytes.
        column: usize,
        /// What the reader met.
        problem: String,
    },
    /// JSON, and says that it is ours, but does not have its shape.
    #[error("line {line}, column {column}: not a valid {schema}: {problem}")]
    Shape {
        /// Of the input.
        line: usize,
        /// In bytes.
        column: usize,
        /// What it should be.
        schema: &'static str,
        /// What the reader met.
        problem: String,
    },
    /// JSON, but not what `explain` takes.
    #[error("line {line}, column {column}: {what}")]
    Other {
        /// Of the input.
        line: usize,
        /// In bytes.
        column: usize,
        /// What it is, and what to give instead.
        what: String,
    },
}

/// Reads everything in the text, in its order.
pub fn read(text: &str) -> Result<Vec<Pasted>, PasteError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut found = Vec::new();
    loop {
        let from = values.byte_offset();
        let start = text.len() - text[from..].trim_start().len();
        match values.next() {
            None if found.is_empty() => return Err(PasteError::Empty),
            None => return Ok(found),
            Some(Err(error)) => {
                return Err(PasteError::Syntax {
                    line: error.line(),
                    column: error.column(),
                    problem: problem(&error),
                });
            }
            Some(Ok(value)) => {
                let here = Here {
                    text,
                    start,
                    end: values.byte_offset(),
                };
                found.push(here.record(&value)?);
            }
        }
    }
}

/// One JSON value in the input.
struct Here<'t> {
    text: &'t str,
    start: usize,
    end: usize,
}

impl Here<'_> {
    fn record(&self, value: &Value) -> Result<Pasted, PasteError> {
        let Value::Object(map) = value else {
            return Err(self.other("an alert is a JSON object, and this is none"));
        };
        match map.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) if map.contains_key("truncated") => Err(self.other(
                "this is the shortened MESSAGE of a journal entry; paste the entry whole, from \
                 `journalctl -o json --all`",
            )),
            Some(SCHEMA) => self.own(SCHEMA).map(Pasted::Alert),
            Some(health::SCHEMA) => self.own(health::SCHEMA).map(Pasted::Health),
            Some(report::SCHEMA) => {
                Err(self
                    .other("this is a session report; `explain` takes one of the alerts it lists"))
            }
            Some(other) if other.starts_with("pkgwarden.") => Err(self.other(&format!(
                "this version reads {SCHEMA} and {}, and this is {other}",
                health::SCHEMA
            ))),
            _ => self.journal_entry(map),
        }
    }

    /// The value as it stands in the input, so that an error has its true place.
    fn own<T: DeserializeOwned>(&self, schema: &'static str) -> Result<Box<T>, PasteError> {
        let own = &self.text[self.start..self.end];
        serde_json::from_str(own).map(Box::new).map_err(|error| {
            let (line, column) = self.place();
            PasteError::Shape {
                line: line + error.line().saturating_sub(1),
                column: match error.line() {
                    0 | 1 => column + error.column().saturating_sub(1),
                    _ => error.column(),
                },
                schema,
                problem: problem(&error),
            }
        })
    }

    fn journal_entry(&self, map: &Map<String, Value>) -> Result<Pasted, PasteError> {
        if let Some(value) = map.get("PKGWARDEN_ALERT") {
            return self
                .field("PKGWARDEN_ALERT", value, SCHEMA)
                .map(Pasted::Alert);
        }
        if let Some(value) = map.get("PKGWARDEN_HEALTH") {
            return self
                .field("PKGWARDEN_HEALTH", value, health::SCHEMA)
                .map(Pasted::Health);
        }
        Err(self.other(if map.contains_key("MESSAGE") {
            "this journal entry is not an alert of pkgwarden: it has no PKGWARDEN_ALERT"
        } else {
            "this has no `schema` of pkgwarden and is no journal entry with PKGWARDEN_ALERT"
        }))
    }

    fn field<T: DeserializeOwned>(
        &self,
        name: &str,
        value: &Value,
        schema: &'static str,
    ) -> Result<Box<T>, PasteError> {
        let text = match value {
            Value::String(text) => text.clone(),
            // journalctl prints a field so when it takes it for binary.
            Value::Array(bytes) => {
                let bytes: Vec<u8> = bytes
                    .iter()
                    .filter_map(|byte| byte.as_u64()?.try_into().ok())
                    .collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => {
                return Err(self.other(&format!(
                    "{name} is not in this entry: journalctl leaves long fields out; ask it again \
                     with `--all`"
                )));
            }
        };
        serde_json::from_str(&text).map(Box::new).map_err(|error| {
            let (line, column) = self.place();
            PasteError::Shape {
                line,
                column,
                schema,
                problem: format!("{name}, column {}: {}", error.column(), problem(&error)),
            }
        })
    }

    fn other(&self, what: &str) -> PasteError {
        let (line, column) = self.place();
        PasteError::Other {
            line,
            column,
            what: what.to_owned(),
        }
    }

    /// Line and column of its start.
    fn place(&self) -> (usize, usize) {
        let before = &self.text[..self.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (
            before.matches('\n').count() + 1,
            self.start - line_start + 1,
        )
    }
}

/// What serde_json says, without the place it appends.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::sample;
    use super::*;

    fn alert_json() -> Value {
        serde_json::to_value(sample::postinstall()).unwrap()
    }

    fn message(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn one_several_indented_or_from_the_journal_are_all_read() {
        let alert = Pasted::Alert(Box::new(sample::postinstall()));
        let health = Pasted::Health(Box::new(sample::health()));
        let line = alert_json().to_string();
        let pretty = serde_json::to_string_pretty(&alert_json()).unwrap();
        let health_line = serde_json::to_string(&sample::health()).unwrap();
        let bytes: Vec<u8> = line.bytes().collect();
        for (text, expected) in [
            (line.clone(), vec![&alert]),
            (
                format!("\u{feff}\n{pretty}\n\n{line}\n"),
                vec![&alert, &alert],
            ),
            (
                json!({"MESSAGE": "x", "PKGWARDEN_ALERT": line}).to_string(),
                vec![&alert],
            ),
            (json!({"PKGWARDEN_ALERT": bytes}).to_string(), vec![&alert]),
            (
                format!(
                    "{health_line}\n{}",
                    json!({"PKGWARDEN_HEALTH": health_line})
                ),
                vec![&health, &health],
            ),
        ] {
            assert_eq!(read(&text).unwrap().iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_torn_line_is_named_by_line_and_column() {
        let line = alert_json().to_string();
        assert_eq!(
            message(&format!("{line}\n{{\"schema\":\"pkg")),
            "line 2, column 14: not JSON: EOF while parsing a string"
        );
        assert_eq!(
            message("hello"),
            "line 1, column 1: not JSON: expected value"
        );
    }

    #[test]
    fn a_missing_or_wrong_key_is_named_where_it_is() {
        let mut alert = alert_json();
        alert["level"] = "huge".into();
        let text = format!("\n  {}", serde_json::to_string_pretty(&alert).unwrap());
        assert_eq!(
            message(&text),
            "line 16, column 17: not a valid pkgwarden.alert/1: unknown variant `huge`, expected \
             one of `informational`, `low`, `medium`, `high`, `critical`"
        );
        alert.as_object_mut().unwrap().shift_remove("level");
        assert!(message(&alert.to_string()).contains("missing field `level`"));
    }

    #[test]
    fn what_is_something_else_says_what_to_give() {
        for (text, expected) in [
            ("", "nothing to explain"),
            (" \n ", "nothing to explain"),
            ("[1]", "an alert is a JSON object"),
            (r#"{"PKGWARDEN_ALERT":null}"#, "ask it again with `--all`"),
            (r#"{"MESSAGE":"hello"}"#, "not an alert of pkgwarden"),
            (r#"{"a":1}"#, "no `schema`"),
            (
                r#"{"schema":"pkgwarden.alert/2"}"#,
                "this is pkgwarden.alert/2",
            ),
            (r#"{"schema":"pkgwarden.session/1"}"#, "session report"),
            (
                r#"{"schema":"pkgwarden.alert/1","truncated":["row"]}"#,
                "paste the entry whole",
            ),
            (
                r#"{"PKGWARDEN_ALERT":"{}"}"#,
                "PKGWARDEN_ALERT, column 2: missing field",
            ),
        ] {
            assert!(message(text).contains(expected), "{}", message(text));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|\n|[{}\\[\\]\",:]|\"schema\"|pkgwarden.alert/1|\"PKGWARDEN_ALERT\":|é){0,30}") {
            let _ = read(&text);
        }
    }
}
