//! Looks up what a correlation names: rules, fields, the rules of its condition.

use std::collections::BTreeMap;
use std::str::FromStr;

use rsigma_parser::{ConditionExpr, ConditionOperator, Quantifier, SelectorPattern};

use super::{Condition, Definition};
use crate::detect::check::{Checked, Correlation, Kind, Target};
use crate::detect::field::Field;
use crate::detect::load::Document;
use crate::detect::problem::{Problem, suggest};
use crate::detect::yaml::SourceFile;

/// More ways than this to satisfy a condition are not looked for.
const MOST_SETS: usize = 256;

/// Members that must all match.
type Set = Vec<usize>;

/// The definitions of all correlations, by the index of their document.
pub(in crate::detect) fn resolve(
    files: &[SourceFile],
    documents: &[Document],
    problems: &mut Vec<Problem>,
) -> BTreeMap<usize, Definition> {
    let mut definitions = BTreeMap::new();
    for (index, document) in documents.iter().enumerate() {
        let Some(correlation) = &document.checked.chain else {
            continue;
        };
        let mut resolver = Resolver {
            file: &files[document.file],
            documents,
            correlation,
            problems,
        };
        if let Some(definition) = resolver.definition() {
            definitions.insert(index, definition);
        }
    }
    for (index, definition) in &definitions {
        if leads_to(&definitions, documents, definition, *index, documents.len()) {
            let document = &documents[*index];
            let (line, column) = document.checked.at;
            let message = "this correlation is a link of itself".to_owned();
            problems.push(files[document.file].problem_at(line, column, message));
        }
    }
    definitions
}

/// Whether a correlation is reached from its own links, at most `steps` away.
fn leads_to(
    definitions: &BTreeMap<usize, Definition>,
    documents: &[Document],
    from: &Definition,
    to: usize,
    steps: usize,
) -> bool {
    steps > 0
        && definitions.iter().any(|(index, next)| {
            from.members.contains(&documents[*index].checked.id)
                && (*index == to || leads_to(definitions, documents, next, to, steps - 1))
        })
}

struct Resolver<'r> {
    file: &'r SourceFile,
    documents: &'r [Document],
    correlation: &'r Correlation,
    problems: &'r mut Vec<Problem>,
}

impl<'r> Resolver<'r> {
    fn definition(&mut self) -> Option<Definition> {
        let Correlation {
            rules, group_by, ..
        } = self.correlation;
        let found: Vec<_> = rules.iter().map(|name| self.rule(name)).collect();
        let members: Vec<&Checked> = found.into_iter().collect::<Option<_>>()?;
        let mut keys: Vec<Option<Vec<Field>>> = Vec::new();
        for (member, name) in members.iter().zip(rules) {
            let fields: Vec<_> = group_by
                .iter()
                .map(|by| self.key(member, name, by))
                .collect();
            keys.push(fields.into_iter().collect());
        }
        let condition = self.condition(&members);
        Some(Definition {
            members: members.iter().map(|member| member.id.clone()).collect(),
            timespan: self.correlation.timespan,
            keys: keys.into_iter().collect::<Option<_>>()?,
            condition: condition?,
        })
    }

    /// The rule or correlation of that id or name.
    fn rule(&mut self, target: &Target) -> Option<&'r Checked> {
        let known = || self.documents.iter().map(|document| &document.checked);
        let found = known().find(|checked| {
            let named = checked.name.as_deref() == Some(&target.name);
            checked.targets.is_none() && (named || checked.id.eq_ignore_ascii_case(&target.name))
        });
        if found.is_none() {
            let names = known().filter(|checked| checked.targets.is_none());
            let names = names.flat_map(|c| c.name.as_deref().into_iter().chain([&*c.id]));
            let suggestion = suggest(&target.name, names);
            let message = format!("no rule has the id or name `{}`", target.name);
            self.problem(target, message, suggestion);
        }
        found
    }

    /// The field of a member that a key of `group-by` means.
    fn key(&mut self, member: &Checked, rule: &Target, by: &Target) -> Option<Field> {
        let alias = self
            .correlation
            .aliases
            .iter()
            .find(|alias| alias.name == by.name);
        let Some(alias) = alias else {
            return self.field(member, by);
        };
        let names = [Some(&*rule.name), Some(&*member.id), member.name.as_deref()];
        let field = alias
            .fields
            .iter()
            .find(|(of, _)| names.contains(&Some(&of.name)));
        match field {
            Some((_, field)) => self.field(member, field),
            None => {
                let message = format!("the alias `{}` has no field for `{}`", by.name, rule.name);
                self.problem(by, message, None);
                None
            }
        }
    }

    fn field(&mut self, member: &Checked, target: &Target) -> Option<Field> {
        match (Field::from_str(&target.name), member.category) {
            // A correlation has no events of its own: those of its last link are looked at.
            (Ok(field), category) if category.is_none_or(|category| field.is_in(category)) => {
                return Some(field);
            }
            (Ok(_), category) => {
                let category = category.map_or("", |category| category.name());
                let message = format!(
                    "events of {category}, which `{}` matches, have no field `{}`",
                    member.title, target.name
                );
                self.problem(target, message, None);
            }
            (Err(_), _) => {
                let names = Field::ALL.iter().map(|field| field.name());
                let suggestion = suggest(&target.name, names);
                let message = format!("unknown field `{}`", target.name);
                self.problem(target, message, suggestion);
            }
        }
        None
    }

    fn condition(&mut self, members: &[&Checked]) -> Option<Condition> {
        let Correlation {
            kind,
            bounds,
            counted,
            ..
        } = self.correlation;
        Some(match kind {
            Kind::EventCount => Condition::Events(bounds.clone()),
            Kind::ValueCount => {
                let mut fields = Vec::new();
                for name in counted {
                    let of_each: Vec<_> = members
                        .iter()
                        .map(|member| self.field(member, name))
                        .collect();
                    fields.push(*of_each.first()?);
                    if of_each.contains(&None) {
                        return None;
                    }
                }
                Condition::Values(fields.into_iter().collect::<Option<_>>()?, bounds.clone())
            }
            Kind::Temporal => Condition::Together(self.sets(members)?),
            Kind::TemporalOrdered => Condition::InOrder(self.sets(members)?),
        })
    }

    /// The least sets of members that satisfy a temporal condition.
    fn sets(&mut self, members: &[&Checked]) -> Option<Vec<Set>> {
        let all = members.len();
        let sets = match (&self.correlation.expression, &*self.correlation.bounds) {
            (Some((expression, target)), _) => self.of_expression(expression, members, target)?,
            (None, []) => vec![(0..all).collect()],
            (None, [(ConditionOperator::Gte | ConditionOperator::Eq, count)]) => {
                choose(all, *count)
            }
            (None, [(ConditionOperator::Gt, count)]) => choose(all, count + 1),
            (None, _) => Vec::new(),
        };
        let least: Vec<Set> = sets
            .iter()
            .filter(|set| {
                let smaller = |other: &&Set| {
                    other.len() < set.len() && other.iter().all(|member| set.contains(member))
                };
                !set.is_empty() && !sets.iter().any(|other| smaller(&other))
            })
            .cloned()
            .collect();
        if least.is_empty() || least.len() > MOST_SETS {
            let (line, column) = self.correlation.condition_at;
            let message = format!(
                "this condition is met by no choice of the {all} rules, or by more than \
                 {MOST_SETS}: it says how many of them match (`gte: 2`) or names them"
            );
            self.problems
                .push(self.file.problem_at(line, column, message));
            return None;
        }
        Some(least)
    }

    fn of_expression(
        &mut self,
        expression: &ConditionExpr,
        members: &[&Checked],
        at: &Target,
    ) -> Option<Vec<Set>> {
        let rules = &self.correlation.rules;
        let is_called = |member: usize, test: &dyn Fn(&str) -> bool| {
            let name = members[member].name.as_deref();
            test(&rules[member].name) || name.is_some_and(test)
        };
        let any_of = |parts: &[Vec<Set>]| parts.concat();
        Some(match expression {
            ConditionExpr::Or(parts) => {
                let parts: Vec<_> = parts
                    .iter()
                    .map(|part| self.of_expression(part, members, at))
                    .collect();
                any_of(&parts.into_iter().collect::<Option<Vec<_>>>()?)
            }
            ConditionExpr::And(parts) => {
                let parts: Vec<_> = parts
                    .iter()
                    .map(|part| self.of_expression(part, members, at))
                    .collect();
                all_of(&parts.into_iter().collect::<Option<Vec<_>>>()?)
            }
            ConditionExpr::Identifier(name) => {
                let member = (0..members.len()).find(|&m| is_called(m, &|known| known == name));
                let Some(member) = member else {
                    let names = rules.iter().map(|rule| rule.name.as_str());
                    let suggestion = suggest(name, names);
                    let message = format!("`rules` does not list `{name}`");
                    self.problem(at, message, suggestion);
                    return None;
                };
                vec![vec![member]]
            }
            ConditionExpr::Selector {
                quantifier,
                pattern,
            } => {
                let fits = |known: &str| match pattern {
                    SelectorPattern::Them => true,
                    pattern => pattern.matches_detection_name(known),
                };
                let fitting: Vec<usize> = (0..members.len())
                    .filter(|&m| is_called(m, &fits))
                    .collect();
                let count = match quantifier {
                    Quantifier::Any => 1,
                    Quantifier::All => fitting.len(),
                    Quantifier::Count(count) => usize::try_from(count.get()).ok()?,
                };
                let chosen = choose(fitting.len(), count);
                let member = |set: &Set| set.iter().map(|&at| fitting[at]).collect();
                chosen.iter().map(member).collect()
            }
            ConditionExpr::Not(_) => {
                let message = "a chain is made of what was seen: `not` has no place here";
                self.problem(at, message.to_owned(), None);
                return None;
            }
        })
    }

    fn problem(&mut self, target: &Target, message: String, suggestion: Option<String>) {
        let mut problem = self.file.problem_at(target.at.0, target.at.1, message);
        problem.width = target.name.chars().count().max(1);
        problem.suggestion = suggestion;
        self.problems.push(problem);
    }
}

/// Every way to take one set of each part.
fn all_of(parts: &[Vec<Set>]) -> Vec<Set> {
    parts.iter().fold(vec![Vec::new()], |made, part| {
        let mut next = Vec::new();
        for set in &made {
            for more in part {
                let mut both = [set.as_slice(), more].concat();
                both.sort_unstable();
                both.dedup();
                next.push(both);
            }
        }
        // One more than is allowed is enough to be refused.
        next.truncate(16 * MOST_SETS);
        next
    })
}

/// Every choice of `count` out of `all`, up to more than are allowed.
fn choose(all: usize, count: usize) -> Vec<Set> {
    let mut chosen: Vec<Set> = vec![Vec::new()];
    for _ in 0..count {
        let next = chosen.iter().flat_map(|set| {
            let from = set.last().map_or(0, |last| last + 1);
            (from..all).map(move |member| [set.as_slice(), &[member]].concat())
        });
        chosen = next.take(16 * MOST_SETS).collect();
    }
    chosen
}
