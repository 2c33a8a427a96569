//! Selections: fields, modifiers, values.

use std::collections::BTreeSet;
use std::str::FromStr;

use rsigma_eval::compiler::compile_detection;
use rsigma_parser::validate::{check_detection_item, check_modifiers};
use rsigma_parser::{Detection, DetectionItem, FieldSpec, Modifier, SigmaString, SigmaValue};

use super::Checker;
use crate::detect::field::{Category, Field};
use crate::detect::yaml::{Data, Node};

/// For suggestions; what is accepted is the engine's own table.
const MODIFIERS: &[&str] = &[
    "contains",
    "startswith",
    "endswith",
    "all",
    "base64",
    "base64offset",
    "wide",
    "utf16",
    "utf16le",
    "utf16be",
    "windash",
    "re",
    "i",
    "m",
    "s",
    "cidr",
    "cased",
    "exists",
    "fieldref",
    "gt",
    "gte",
    "lt",
    "lte",
    "neq",
];

impl Checker<'_> {
    /// The `detection` of a rule or the `filter` of a filter.
    pub(super) fn detection(&mut self, node: &Node, category: Option<Category>, is_filter: bool) {
        let Some(entries) = node.map() else {
            self.at(
                node,
                "this must be a mapping of selections and a `condition`",
            );
            return;
        };
        let mut names = BTreeSet::new();
        let mut condition = None;
        for (key, value) in entries {
            match key.text() {
                Some("condition") => condition = Some(value),
                Some("rules") if is_filter => {}
                Some("timeframe") => self.at(
                    key,
                    "`timeframe` is not supported: Sigma 2 moved it to correlation rules",
                ),
                Some(name) => {
                    names.insert(name.to_owned());
                    self.selection(value, category);
                }
                None => self.at(key, "the name of a selection must be text"),
            }
        }
        match condition {
            Some(condition) => self.conditions(condition, &names),
            None => self.at(node, "`condition` is missing"),
        }
    }

    fn selection(&mut self, node: &Node, category: Option<Category>) {
        match &node.data {
            Data::Map(entries) => {
                if entries.is_empty() {
                    self.at(node, "a selection must not be empty");
                }
                for (key, value) in entries {
                    self.item(key, value, category);
                }
            }
            Data::List(items) => {
                if items.is_empty() {
                    self.at(node, "a selection must not be empty");
                }
                for item in items {
                    match &item.data {
                        Data::Map(_) => self.selection(item, category),
                        Data::List(_) => self.at(item, "a selection must not hold nested lists"),
                        Data::Null => self.at(item, "a keyword must not be empty"),
                        _ => {}
                    }
                }
            }
            Data::Null => self.at(node, "a selection must not be empty"),
            _ => {}
        }
    }

    fn item(&mut self, key: &Node, value: &Node, category: Option<Category>) {
        let Some(text) = key.text() else {
            self.at(key, "the name of a field must be text");
            return;
        };
        let mut parts = text.split('|');
        let name = parts.next().unwrap_or_default();
        let mut good = name.is_empty() || self.field(key, name, category);
        let mut modifiers = Vec::new();
        let mut column = self.start_of(key) + name.chars().count() + 1;
        for word in parts {
            match Modifier::from_str(word) {
                Ok(Modifier::Expand) => {
                    self.word_at(
                        (key.line, column),
                        word,
                        "`expand` is not supported: no pipeline fills in placeholders".into(),
                    );
                    good = false;
                }
                Ok(modifier) => modifiers.push(modifier),
                Err(()) => {
                    self.word_at(
                        (key.line, column),
                        word,
                        format!("unknown modifier `{word}`"),
                    );
                    if let Some(last) = self.problems.last_mut() {
                        last.suggestion =
                            crate::detect::problem::suggest(word, MODIFIERS.iter().copied());
                    }
                    good = false;
                }
            }
            column += word.chars().count() + 1;
        }
        if !good {
            return;
        }
        if let Err(reason) = check_modifiers(&modifiers) {
            self.at(key, format!("`{text}`: {reason}"));
            return;
        }
        let field = FieldSpec::new((!name.is_empty()).then(|| name.to_owned()), modifiers);
        self.values(key, value, &field, category);
    }

    fn field(&mut self, key: &Node, name: &str, category: Option<Category>) -> bool {
        let at = (key.line, self.start_of(key));
        let fitting = || {
            Field::ALL
                .iter()
                .filter(|field| category.is_none_or(|category| field.is_in(category)))
                .map(|field| field.name())
        };
        let message = match (Field::from_str(name), category) {
            (Ok(field), Some(category)) if !field.is_in(category) => {
                let homes: Vec<_> = Category::ALL
                    .iter()
                    .filter(|&&home| field.is_in(home))
                    .map(|home| home.name())
                    .collect();
                let homes = homes.join(", ");
                let here = category.name();
                format!("events of {here} have no field `{name}`; it belongs to {homes}")
            }
            (Ok(_), _) => return true,
            (Err(_), _) => format!("unknown field `{name}`"),
        };
        self.word_at(at, name, message);
        if let Some(last) = self.problems.last_mut() {
            last.suggestion = crate::detect::problem::suggest(name, fitting());
        }
        false
    }

    fn values(&mut self, key: &Node, value: &Node, field: &FieldSpec, category: Option<Category>) {
        let nodes = value.items();
        let mut values = Vec::new();
        for node in nodes {
            match sigma_value(node, field) {
                Some(value) => values.push(value),
                None => {
                    self.at(node, "a field takes a value or a list of values");
                    return;
                }
            }
        }
        if field.has_modifier(Modifier::FieldRef) {
            for node in nodes {
                if let Some(name) = node.text() {
                    self.field(node, name, category);
                }
            }
        }
        let Some(reason) = refused(field, &values) else {
            return;
        };
        // One after the other, so that the caret stands under the value that is wrong.
        let first_wrong = nodes.iter().zip(&values).find_map(|(node, value)| {
            let reason = refused(field, std::slice::from_ref(value))?;
            Some((node, reason))
        });
        match first_wrong {
            Some((node, reason)) => self.at(node, reason),
            None => self.at(key, reason),
        }
    }

    /// The column of a key's first character, behind an opening quote.
    fn start_of(&self, key: &Node) -> usize {
        let line = self.file.text.lines().nth(key.line - 1).unwrap_or("");
        let quoted = matches!(line.chars().nth(key.column - 1), Some('"' | '\''));
        key.column + usize::from(quoted)
    }
}

/// Why the engine does not take these values for that field.
fn refused(field: &FieldSpec, values: &[SigmaValue]) -> Option<String> {
    let item = DetectionItem {
        field: field.clone(),
        values: values.to_vec(),
    };
    if let Err(error) = check_detection_item(&item) {
        return Some(one_line(&error.to_string()));
    }
    let error = compile_detection(&Detection::AllOf(vec![item])).err()?;
    Some(one_line(&error.to_string()))
}

/// A regex error draws the pattern over several lines and says at the end what is wrong; our own
/// caret stands under the value.
fn one_line(message: &str) -> String {
    match (message.lines().next(), message.lines().next_back()) {
        (Some(first), Some(last)) if first != last => {
            format!("{first} {}", last.trim().trim_start_matches("error: "))
        }
        _ => message.to_owned(),
    }
}

fn sigma_value(node: &Node, field: &FieldSpec) -> Option<SigmaValue> {
    Some(match &node.data {
        Data::Null => SigmaValue::Null,
        Data::Bool(flag) => SigmaValue::Bool(*flag),
        Data::Integer(number) => SigmaValue::Integer(*number),
        Data::Float(number) => SigmaValue::Float(*number),
        Data::Text(text) if field.has_modifier(Modifier::Re) => SigmaValue::from_raw_string(text),
        Data::Text(text) => SigmaValue::String(SigmaString::new(text)),
        Data::List(_) | Data::Map(_) => return None,
    })
}
