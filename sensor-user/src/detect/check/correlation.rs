//! Correlation documents: `type`, `rules`, `group-by`, `timespan`, `condition`, `aliases`.

use rsigma_parser::{ConditionExpr, ConditionOperator, parse_condition};

use super::{Checker, Target};
use crate::detect::chain::Bound;
use crate::detect::yaml::{Data, Node};

/// What a correlation says, its rules and fields still to be looked up.
#[derive(Debug, Clone)]
pub(in crate::detect) struct Correlation {
    pub(in crate::detect) kind: Kind,
    pub(in crate::detect) rules: Vec<Target>,
    pub(in crate::detect) group_by: Vec<Target>,
    pub(in crate::detect) aliases: Vec<Alias>,
    /// Nanoseconds.
    pub(in crate::detect) timespan: u64,
    pub(in crate::detect) bounds: Vec<Bound>,
    /// The fields whose values are counted.
    pub(in crate::detect) counted: Vec<Target>,
    /// The extended condition of a temporal one, and where it stands.
    pub(in crate::detect) expression: Option<(ConditionExpr, Target)>,
    /// Where `condition` stands, or else the whole.
    pub(in crate::detect) condition_at: (usize, usize),
}

/// A name for different fields of different rules.
#[derive(Debug, Clone)]
pub(in crate::detect) struct Alias {
    pub(in crate::detect) name: String,
    /// A rule, and its field.
    pub(in crate::detect) fields: Vec<(Target, Target)>,
}

/// Sigma v2.1, correlation types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::detect) enum Kind {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
}

const KINDS: &[(&str, Kind)] = &[
    ("event_count", Kind::EventCount),
    ("value_count", Kind::ValueCount),
    ("temporal", Kind::Temporal),
    ("temporal_ordered", Kind::TemporalOrdered),
];
const KEYS: [&str; 6] = [
    "type",
    "rules",
    "group-by",
    "timespan",
    "condition",
    "aliases",
];
const OPERATORS: &[(&str, ConditionOperator)] = &[
    ("lt", ConditionOperator::Lt),
    ("lte", ConditionOperator::Lte),
    ("gt", ConditionOperator::Gt),
    ("gte", ConditionOperator::Gte),
    ("eq", ConditionOperator::Eq),
    ("neq", ConditionOperator::Neq),
];
/// Counting further would cost memory that watched code decides on.
const LARGEST_COUNT: i64 = 1000;
const UNITS: &[(char, u64)] = &[('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
const LONGEST_DAYS: u64 = 30;

impl Kind {
    pub(in crate::detect) fn is_temporal(self) -> bool {
        matches!(self, Kind::Temporal | Kind::TemporalOrdered)
    }
}

impl Checker<'_> {
    /// The value of `correlation`. `None` where too little of it is right to look further.
    pub(super) fn correlation(&mut self, node: &Node) -> Option<Correlation> {
        let Some(entries) = node.map() else {
            let message = format!("`correlation` must be a mapping of {}", KEYS.join(", "));
            self.at(node, message);
            return None;
        };
        for (key, _) in entries {
            self.known_key(key, KEYS, " of `correlation`");
        }
        let kind = self.kind(node);
        let rules = self.names(node, "rules", "the ids or names of the rules to correlate");
        let group_by = self.names(
            node,
            "group-by",
            "the fields to group by, `SessionId` where nothing else is meant",
        );
        let aliases = match node.get("aliases") {
            Some(aliases) => self.aliases(aliases),
            None => Vec::new(),
        };
        let timespan = self.timespan(node);
        let mut correlation = Correlation {
            kind: kind?,
            rules: rules?,
            group_by: group_by?,
            aliases,
            timespan: timespan?,
            bounds: Vec::new(),
            counted: Vec::new(),
            expression: None,
            condition_at: (node.line, node.column),
        };
        self.correlation_condition(node, &mut correlation)
            .then_some(correlation)
    }

    fn kind(&mut self, node: &Node) -> Option<Kind> {
        let Some(value) = node.get("type") else {
            self.at(node, "`type` is missing");
            return None;
        };
        let name = self.one_of(value, "type", KINDS.iter().map(|(name, _)| *name))?;
        let (_, kind) = KINDS.iter().find(|(known, _)| *known == name)?;
        Some(*kind)
    }

    /// A list of texts that must be there and hold something, nothing twice.
    fn names(&mut self, node: &Node, key: &str, what: &str) -> Option<Vec<Target>> {
        let Some(list) = node.get(key) else {
            self.at(node, format!("`{key}` is missing: it lists {what}"));
            return None;
        };
        let Some(items) = list.list().filter(|items| !items.is_empty()) else {
            self.at(list, format!("`{key}` must list {what}, at least one"));
            return None;
        };
        let mut names: Vec<Target> = Vec::new();
        for item in items {
            let Some(target) = target(item) else {
                self.at(item, format!("an item of `{key}` must be text"));
                return None;
            };
            if names.iter().any(|known| known.name == target.name) {
                self.word_at(
                    target.at,
                    &target.name,
                    format!("`{}` stands twice", target.name),
                );
            }
            names.push(target);
        }
        Some(names)
    }

    fn aliases(&mut self, node: &Node) -> Vec<Alias> {
        let Some(entries) = node.map() else {
            self.at(
                node,
                "`aliases` must map each alias to a field of each rule",
            );
            return Vec::new();
        };
        let mut aliases = Vec::new();
        for (key, value) in entries {
            let (Some(name), Some(fields)) = (key.text(), value.map()) else {
                self.at(key, "an alias maps rules to their fields");
                continue;
            };
            let pairs = fields
                .iter()
                .filter_map(|(rule, field)| Some((target(rule)?, target(field)?)));
            aliases.push(Alias {
                name: name.to_owned(),
                fields: pairs.collect(),
            });
        }
        aliases
    }

    fn timespan(&mut self, node: &Node) -> Option<u64> {
        let Some(value) = node.get("timespan") else {
            self.at(
                node,
                "`timespan` is missing: how far apart the matches may be, `10m`",
            );
            return None;
        };
        let seconds = value.text().and_then(seconds);
        if seconds.is_none() {
            let message = format!(
                "`timespan` is a number and one of s, m, h, d: `10m`, at most {LONGEST_DAYS}d"
            );
            self.at(value, message);
        }
        Some(seconds? * 1_000_000_000)
    }

    /// Whether it is right.
    fn correlation_condition(&mut self, node: &Node, correlation: &mut Correlation) -> bool {
        let temporal = correlation.kind.is_temporal();
        let Some(condition) = node.get("condition") else {
            // All rules, once each.
            if !temporal {
                self.at(
                    node,
                    "`condition` is missing: how many there must be, `gte: 3`",
                );
            }
            return temporal;
        };
        correlation.condition_at = (condition.line, condition.column);
        match (&condition.data, condition.text()) {
            (Data::Map(entries), _) => self.comparisons(condition, entries, correlation),
            (_, Some(text)) if temporal => match parse_condition(text) {
                Ok(expression) => {
                    let at = target(condition);
                    correlation.expression = at.map(|at| (expression, at));
                    true
                }
                Err(error) => {
                    let reason = error.to_string();
                    let reason = reason.lines().last().unwrap_or_default();
                    let reason = reason.trim_start_matches([' ', '=']);
                    self.at(condition, format!("bad condition: {reason}"));
                    false
                }
            },
            _ => {
                self.at(
                    condition,
                    "this condition must be a mapping such as `gte: 3`",
                );
                false
            }
        }
    }

    fn comparisons(
        &mut self,
        condition: &Node,
        entries: &[(Node, Node)],
        correlation: &mut Correlation,
    ) -> bool {
        let before = self.problems.len();
        let counts_values = correlation.kind == Kind::ValueCount;
        for (key, value) in entries {
            let field = counts_values.then_some("field");
            let known = OPERATORS.iter().map(|(name, _)| *name).chain(field);
            self.known_key(key, known, " of this condition");
            if key.text() == Some("field") && counts_values {
                correlation.counted = value.items().iter().filter_map(target).collect();
            }
            let operator = OPERATORS.iter().find(|(name, _)| key.text() == Some(name));
            let Some((_, operator)) = operator else {
                continue;
            };
            match value.data {
                Data::Integer(count @ 0..=LARGEST_COUNT) => {
                    correlation
                        .bounds
                        .push((*operator, count.unsigned_abs() as usize));
                }
                _ => self.at(value, format!("a count is a number up to {LARGEST_COUNT}")),
            }
        }
        if correlation.bounds.is_empty() && self.problems.len() == before {
            self.at(condition, "this condition compares nothing: `gte: 3`");
        }
        if counts_values && correlation.counted.is_empty() {
            self.at(
                condition,
                "`field` is missing: whose different values are counted",
            );
        }
        self.problems.len() == before
    }

    /// Alerts are made of every match of a rule, also where a chain names it.
    pub(super) fn generate(&mut self, document: &Node) {
        if let Some(node) = document.get("generate")
            && !matches!(node.data, Data::Bool(true))
        {
            self.at(
                node,
                "`generate` can only be true: the links of a chain are alerts; give a rule that \
                 means nothing alone `level: informational`",
            );
        }
    }
}

fn target(node: &Node) -> Option<Target> {
    Some(Target {
        name: node.text()?.to_owned(),
        at: (node.line, node.column),
    })
}

fn seconds(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let (_, unit) = UNITS.iter().find(|(known, _)| *known == unit)?;
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    let seconds = number.checked_mul(*unit)?;
    (1..=LONGEST_DAYS * 86_400)
        .contains(&seconds)
        .then_some(seconds)
}
