//! Conditions: their grammar, and that what they name exists.

use std::collections::BTreeSet;

use rsigma_parser::{ConditionExpr, SelectorPattern, SigmaParserError, parse_condition};

use super::Checker;
use crate::detect::problem::suggest;
use crate::detect::yaml::Node;

impl Checker<'_> {
    pub(super) fn conditions(&mut self, node: &Node, names: &BTreeSet<String>) {
        for condition in node.items() {
            match condition.text() {
                Some(text) => self.condition(condition, text, names),
                None => self.at(condition, "a condition must be text"),
            }
        }
    }

    fn condition(&mut self, node: &Node, text: &str, names: &BTreeSet<String>) {
        match parse_condition(text) {
            Ok(expression) => self.named(node, text, &expression, names),
            Err(error) => {
                // The grammar's own message draws the line again; its last line says what it is.
                let reason = match &error {
                    SigmaParserError::Condition(reason, _) => {
                        let last = reason.lines().last().unwrap_or(reason);
                        last.trim_start_matches([' ', '=']).to_owned()
                    }
                    other => other.to_string(),
                };
                let offset = error
                    .location()
                    .filter(|at| at.line == 1)
                    .map_or(0, |at| (at.col as usize).saturating_sub(1));
                let at = self.inside(node, text, offset);
                self.word_at(at, "", format!("bad condition: {reason}"));
            }
        }
    }

    fn named(
        &mut self,
        node: &Node,
        text: &str,
        expression: &ConditionExpr,
        names: &BTreeSet<String>,
    ) {
        match expression {
            ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
                for part in parts {
                    self.named(node, text, part, names);
                }
            }
            ConditionExpr::Not(part) => self.named(node, text, part, names),
            ConditionExpr::Identifier(name) => {
                if !names.contains(name) {
                    let at = self.inside(node, text, word_offset(text, name));
                    self.word_at(at, name, format!("no selection is called `{name}`"));
                    if let Some(last) = self.problems.last_mut() {
                        last.suggestion = suggest(name, names.iter().map(String::as_str));
                    }
                }
            }
            ConditionExpr::Selector { pattern, .. } => {
                if !names
                    .iter()
                    .any(|name| pattern.matches_detection_name(name))
                {
                    let SelectorPattern::Pattern(word) = pattern else {
                        return self.at(node, "there is no selection for `them`");
                    };
                    let at = self.inside(node, text, word_offset(text, word));
                    self.word_at(at, word, format!("no selection fits `{word}`"));
                }
            }
        }
    }

    /// The place of the character at `offset` of a one-line text.
    fn inside(&self, node: &Node, text: &str, offset: usize) -> (usize, usize) {
        let line = self.file.text.lines().nth(node.line - 1).unwrap_or("");
        let before: String = line.chars().take(node.column - 1).collect();
        match line[before.len()..].find(text) {
            Some(at) => {
                let lead = line[before.len()..][..at].chars().count();
                (node.line, node.column + lead + offset)
            }
            None => (node.line, node.column),
        }
    }
}

/// Where `word` stands as a whole word, in characters.
fn word_offset(text: &str, word: &str) -> usize {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(word)
        .find(|(at, _)| {
            let before = text[..*at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
        })
        .map_or(0, |(at, _)| text[..at].chars().count())
}
