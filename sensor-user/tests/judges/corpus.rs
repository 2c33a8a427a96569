//! Every event of every recording, and of the rules' own tests, as rules are asked about it, with what
//! they said.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use pkgwarden::core::{Core, Finding, Trust};
use pkgwarden::detect::{Field, RuleSet, Subject, Trial, Value, captures, tests};
use pkgwarden::event::Event;
use pkgwarden::event::capture::Reader;
use serde_json::{Value as Json, json};

/// In nanoseconds.
const SECOND: f64 = 1e9;

/// One JSON object a line; xtask/judges/sqlite.py says of what form.
pub(crate) fn lines(rules: &Rc<RuleSet>) -> String {
    let mut lines = String::new();
    for (name, text) in captures() {
        of_capture(rules, name, text, &mut lines);
    }
    for (name, text) in tests() {
        let rule = rules.rules().iter().find(|rule| stem(&rule.file) == name);
        let Some(rule) = rule else { continue };
        let trial = Trial::read(rule, name, text).unwrap_or_else(|errors| panic!("{errors}"));
        for (number, (_, subject)) in trial.finds.iter().chain(&trial.silent).enumerate() {
            // Each is a session of its own, and no chain with another.
            let capture = format!("test {name} {number}");
            event(rules, &capture, 0.0, subject, &mut lines);
        }
    }
    lines
}

fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".yml").unwrap_or(name)
}

fn of_capture(rules: &Rc<RuleSet>, name: &str, text: &str, lines: &mut String) {
    let events: Vec<Event> = Reader::new(text.as_bytes())
        .and_then(Iterator::collect)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let chains: Vec<&str> = rules.chains().iter().map(|c| &*c.rule.id).collect();
    let mut core = Core::sharing(Rc::clone(rules), Trust::default());
    for each in &events {
        let mut subjects = Vec::new();
        let findings = core.handle_seen(each, &mut |subject| subjects.push(subject.clone()));
        for subject in &subjects {
            event(rules, name, each.time as f64 / SECOND, subject, lines);
        }
        for finding in findings {
            let Finding::Alert(alert) = finding else {
                continue;
            };
            if chains.contains(&&*alert.rule.id) {
                let session = alert.evidence.fields.get("SessionId");
                let record = json!({"capture": name, "chain": alert.rule.id, "session": session});
                writeln!(lines, "{record}").unwrap();
            }
        }
    }
}

fn event(rules: &RuleSet, capture: &str, time: f64, subject: &Subject, lines: &mut String) {
    let fields: BTreeMap<&str, Json> = subject
        .fields()
        .map(|(field, value)| (Field::name(field), json(value)))
        .collect();
    let hits = rules.evaluate(subject);
    let hits = hits.iter().map(|hit| {
        let by = &hit.suppressed_by;
        json!({"rule": hit.rule.id, "suppressed_by": by})
    });
    let record = json!({
        "capture": capture,
        "time": time,
        "category": subject.category.name(),
        "fields": fields,
        "hits": hits.collect::<Vec<_>>(),
    });
    writeln!(lines, "{record}").unwrap();
}

/// Numbers stay numbers, which rules compare; all else is text, as rules write it.
fn json(value: &Value) -> Json {
    match value {
        Value::Number(number) => json!(number),
        other => json!(other.text()),
    }
}
