//! From the engine's compiled rules to the screen's expressions.

use std::collections::HashMap;

use rsigma_eval::matcher::GroupMode;
use rsigma_eval::{CompiledDetection, CompiledDetectionItem, CompiledMatcher, CompiledRule};
use rsigma_parser::{ConditionExpr, Quantifier};

use super::literal::{Literals, Place, Wanted};
use super::{Item, Node, Test};
use crate::detect::field::Field;

/// What takes no look at an event.
const FREE: usize = 0;
/// A comparison of a number or a flag,
const CHEAP: usize = 1;
/// of a text's end or beginning,
const TEXT: usize = 8;
/// and a search through all of it.
const SEARCH: usize = 32;

/// The expression of a rule.
pub(super) fn rule(items: &mut Vec<Item>, literals: &mut Literals, rule: &CompiledRule) -> Node {
    Compiler { items, literals }.rule(rule)
}

struct Compiler<'i> {
    items: &'i mut Vec<Item>,
    literals: &'i mut Literals,
}

type Detections = HashMap<String, CompiledDetection>;

impl Compiler<'_> {
    fn rule(&mut self, rule: &CompiledRule) -> Node {
        let conditions = rule.conditions.iter();
        let nodes = conditions
            .map(|condition| self.condition(condition, &rule.detections))
            .collect();
        self.any(nodes)
    }

    fn condition(&mut self, condition: &ConditionExpr, detections: &Detections) -> Node {
        match condition {
            ConditionExpr::And(parts) => {
                let nodes = parts.iter().map(|part| self.condition(part, detections));
                let nodes = nodes.collect();
                self.all(nodes)
            }
            ConditionExpr::Or(parts) => {
                let nodes = parts.iter().map(|part| self.condition(part, detections));
                let nodes = nodes.collect();
                self.any(nodes)
            }
            ConditionExpr::Not(inner) => Node::Not(Box::new(self.condition(inner, detections))),
            ConditionExpr::Identifier(name) => match detections.get(name) {
                Some(detection) => self.detection(detection),
                None => Node::Known(Some(false)),
            },
            ConditionExpr::Selector {
                quantifier,
                pattern,
            } => {
                let mut named: Vec<_> = detections
                    .iter()
                    .filter(|(name, _)| pattern.matches_detection_name(name))
                    .collect();
                named.sort_by_key(|(name, _)| *name);
                let nodes: Vec<_> = named
                    .iter()
                    .map(|(_, detection)| self.detection(detection))
                    .collect();
                match quantifier {
                    Quantifier::Any => self.any(nodes),
                    Quantifier::All => self.all(nodes),
                    Quantifier::Count(least) => {
                        let least = usize::try_from(least.get()).unwrap_or(usize::MAX);
                        self.at_least(least, nodes)
                    }
                }
            }
        }
    }

    fn detection(&mut self, detection: &CompiledDetection) -> Node {
        match detection {
            CompiledDetection::AllOf(items) => {
                let nodes = items.iter().map(|item| self.item(item)).collect();
                self.all(nodes)
            }
            CompiledDetection::AnyOf(parts) => {
                let nodes = parts.iter().map(|part| self.detection(part)).collect();
                self.any(nodes)
            }
            CompiledDetection::And(parts) => {
                let nodes = parts.iter().map(|part| self.detection(part)).collect();
                self.all(nodes)
            }
            // No field of ours is a list, and keywords look at every field.
            CompiledDetection::Keywords(_)
            | CompiledDetection::ArrayMatch { .. }
            | CompiledDetection::Conditional { .. } => Node::Known(None),
        }
    }

    fn item(&mut self, item: &CompiledDetectionItem) -> Node {
        let field = item.field.as_deref().map(str::parse::<Field>);
        let Some(Ok(field)) = field else {
            return Node::Known(None);
        };
        match item.exists {
            Some(expected) => self.push(field, Test::Exists(expected)),
            None => self.value(field, &item.matcher),
        }
    }

    fn push(&mut self, field: Field, test: Test) -> Node {
        let elsewhere = matches!(&test, Test::Matches(matcher) if looks_elsewhere(matcher));
        self.items.push(Item {
            field,
            of_process: field.is_of_process() && !elsewhere,
            test,
        });
        Node::Item(self.items.len() - 1)
    }

    /// A condition on a value: literals are told from what has to be asked of the engine. A literal in
    /// a field that is not there is not found, which is what the engine says of it too.
    fn value(&mut self, field: Field, matcher: &CompiledMatcher) -> Node {
        let mut wanted = Wanted::new();
        if self.literals(field, matcher, &mut wanted) {
            return self.push(field, Test::Literals(wanted));
        }
        let mut part = |matcher| self.value(field, matcher);
        match matcher {
            CompiledMatcher::Not(inner) => Node::Not(Box::new(part(inner))),
            CompiledMatcher::AnyOf(all)
            | CompiledMatcher::CaseInsensitiveGroup {
                children: all,
                mode: GroupMode::Any,
            } => {
                let nodes = all.iter().map(part).collect();
                self.any(nodes)
            }
            CompiledMatcher::AllOf(all)
            | CompiledMatcher::CaseInsensitiveGroup {
                children: all,
                mode: GroupMode::All,
            } => {
                let nodes = all.iter().map(part).collect();
                self.all(nodes)
            }
            other => self.push(field, Test::Matches(other.clone())),
        }
    }

    /// Adds the literals of a condition that is nothing but one of several literals.
    fn literals(&mut self, field: Field, matcher: &CompiledMatcher, wanted: &mut Wanted) -> bool {
        let mut take = |literal: &str, place| {
            if literal.is_empty() {
                return false;
            }
            wanted.push((self.literals.number(field, literal), place));
            true
        };
        match matcher {
            CompiledMatcher::Contains {
                value,
                case_insensitive: true,
            } => take(value, Place::Anywhere),
            CompiledMatcher::StartsWith {
                value,
                case_insensitive: true,
            } => take(value, Place::Start),
            CompiledMatcher::EndsWith {
                value,
                case_insensitive: true,
            } => take(value, Place::End),
            CompiledMatcher::Exact {
                value,
                case_insensitive: true,
            } => take(value, Place::Whole),
            CompiledMatcher::AhoCorasickSet {
                needles,
                case_insensitive: true,
                ..
            } => needles.iter().all(|needle| take(needle, Place::Anywhere)),
            CompiledMatcher::AnyOf(all)
            | CompiledMatcher::CaseInsensitiveGroup {
                children: all,
                mode: GroupMode::Any,
            } => all
                .iter()
                .all(|matcher| self.literals(field, matcher, wanted)),
            _ => false,
        }
    }

    fn all(&self, nodes: Vec<Node>) -> Node {
        self.at_least(nodes.len(), nodes)
    }

    fn any(&self, nodes: Vec<Node>) -> Node {
        self.at_least(1, nodes)
    }

    /// The cheap conditions first: they often decide alone.
    fn at_least(&self, needed: usize, mut nodes: Vec<Node>) -> Node {
        if needed == 0 {
            return Node::Known(Some(true));
        }
        nodes.sort_by_key(|node| self.price(node));
        match nodes.len() {
            1 if needed == 1 => nodes.remove(0),
            _ => Node::AtLeast(needed, nodes),
        }
    }

    fn price(&self, node: &Node) -> usize {
        match node {
            Node::Known(_) => FREE,
            Node::Item(index) => match &self.items[*index].test {
                Test::Exists(_) => CHEAP,
                Test::Literals(..) => TEXT,
                Test::Matches(matcher) => price(matcher),
            },
            Node::Not(inner) => self.price(inner),
            Node::AtLeast(_, nodes) => nodes.iter().map(|node| self.price(node)).sum(),
        }
    }
}

/// Whether a condition on one field asks another one too.
fn looks_elsewhere(matcher: &CompiledMatcher) -> bool {
    match matcher {
        CompiledMatcher::FieldRef { .. } | CompiledMatcher::Expand { .. } => true,
        CompiledMatcher::Not(inner) | CompiledMatcher::TimestampPart { inner, .. } => {
            looks_elsewhere(inner)
        }
        CompiledMatcher::AnyOf(all)
        | CompiledMatcher::AllOf(all)
        | CompiledMatcher::CaseInsensitiveGroup { children: all, .. } => {
            all.iter().any(looks_elsewhere)
        }
        CompiledMatcher::Exact { .. }
        | CompiledMatcher::Contains { .. }
        | CompiledMatcher::StartsWith { .. }
        | CompiledMatcher::EndsWith { .. }
        | CompiledMatcher::Regex(_)
        | CompiledMatcher::AhoCorasickSet { .. }
        | CompiledMatcher::RegexSetMatch { .. }
        | CompiledMatcher::Cidr(_)
        | CompiledMatcher::NumericEq(_)
        | CompiledMatcher::NumericGt(_)
        | CompiledMatcher::NumericGte(_)
        | CompiledMatcher::NumericLt(_)
        | CompiledMatcher::NumericLte(_)
        | CompiledMatcher::Exists(_)
        | CompiledMatcher::Null
        | CompiledMatcher::BoolEq(_) => false,
    }
}

fn price(matcher: &CompiledMatcher) -> usize {
    match matcher {
        CompiledMatcher::Not(inner) | CompiledMatcher::TimestampPart { inner, .. } => price(inner),
        CompiledMatcher::AnyOf(all)
        | CompiledMatcher::AllOf(all)
        | CompiledMatcher::CaseInsensitiveGroup { children: all, .. } => {
            all.iter().map(price).sum()
        }
        CompiledMatcher::Exact { .. }
        | CompiledMatcher::StartsWith { .. }
        | CompiledMatcher::EndsWith { .. }
        | CompiledMatcher::Cidr(_) => TEXT,
        CompiledMatcher::Contains { .. }
        | CompiledMatcher::Regex(_)
        | CompiledMatcher::AhoCorasickSet { .. }
        | CompiledMatcher::RegexSetMatch { .. }
        | CompiledMatcher::FieldRef { .. }
        | CompiledMatcher::Expand { .. } => SEARCH,
        CompiledMatcher::NumericEq(_)
        | CompiledMatcher::NumericGt(_)
        | CompiledMatcher::NumericGte(_)
        | CompiledMatcher::NumericLt(_)
        | CompiledMatcher::NumericLte(_)
        | CompiledMatcher::Exists(_)
        | CompiledMatcher::Null
        | CompiledMatcher::BoolEq(_) => CHEAP,
    }
}
