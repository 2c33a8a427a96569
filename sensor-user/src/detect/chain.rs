//! Chains: Sigma correlation rules. They look at matches of other rules instead of at events, and
//! rate together what is little alone.
//!
//! A chain never reaches beyond one session: that is whose matches its caller keeps together, and
//! what bounds its memory. `group-by` divides a session further.

mod group;
mod resolve;

use rsigma_parser::{ConditionOperator, CorrelationRule};
use sha2::{Digest, Sha256};

use super::check::Checked;
use super::field::Field;
use super::rule::{Playbook, Rule};
use super::subject::Subject;

pub use group::Group;
pub(super) use resolve::resolve;

/// A longer value of a field stands in a group's name as its digest.
const LONGEST_VALUE: usize = 256;

/// A correlation rule.
#[derive(Debug, Clone)]
pub struct Chain {
    /// What it says about itself. Branch and category are those of its last link, where an alert
    /// has not got its own yet.
    pub rule: Rule,
    /// As the rule spells it: what its matches are grouped by.
    pub group_by: Vec<String>,
    /// What it looks for.
    pub definition: Definition,
}

/// What a chain looks for. Two that are equal can go on with what the other has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Ids of the rules whose matches are its links, as `rules` lists them.
    pub members: Vec<String>,
    /// Nanoseconds from the first link to the last.
    pub timespan: u64,
    /// The `group-by` fields of each member: an alias may be another field for each.
    pub(super) keys: Vec<Vec<Field>>,
    pub(super) condition: Condition,
}

/// When the links are a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// So many matches.
    Events(Vec<Bound>),
    /// So many different values of these fields.
    Values(Vec<Field>, Vec<Bound>),
    /// All members of one of these sets matched.
    Together(Vec<Vec<usize>>),
    /// The same, in the order of the members.
    InOrder(Vec<Vec<usize>>),
}

/// One comparison of a count.
pub(super) type Bound = (ConditionOperator, usize);

impl Chain {
    /// Which group of its session a match belongs to; none where it lacks a field to group by.
    pub fn group(&self, position: usize, subject: &Subject) -> Option<String> {
        joined(&self.definition.keys[position], subject)
    }
}

/// A correlation whose parts were looked up. What it does not say of branch and playbook is what the
/// rule says that it ends with.
pub(super) fn assemble(
    checked: Checked,
    file: &str,
    sigma: CorrelationRule,
    definition: Definition,
    last: &Rule,
) -> Chain {
    let own = checked.extension.playbook;
    let part = |own: Vec<String>, last: &[String]| match own.is_empty() {
        true => last.to_vec(),
        false => own,
    };
    Chain {
        group_by: sigma.group_by,
        definition,
        rule: Rule {
            id: checked.id,
            title: checked.title,
            description: sigma.description.unwrap_or_default().trim().to_owned(),
            level: checked.level,
            confidence: checked.extension.confidence,
            branch: checked.extension.branch.unwrap_or(last.branch),
            category: last.category,
            tags: sigma.tags,
            references: sigma.references,
            false_positives: sigma.falsepositives,
            file: file.to_owned(),
            playbook: Playbook {
                investigate: part(own.investigate, &last.playbook.investigate),
                respond: part(own.respond, &last.playbook.respond),
                hunt: part(own.hunt, &last.playbook.hunt),
            },
        },
    }
}

impl Definition {
    /// The value that is counted, where the chain counts values and the match has it.
    fn value(&self, subject: &Subject) -> Option<String> {
        match &self.condition {
            Condition::Values(fields, _) => joined(fields, subject),
            _ => None,
        }
    }
}

/// Each value behind its length: no text that watched code chose imitates another split.
fn joined(fields: &[Field], subject: &Subject) -> Option<String> {
    let mut name = String::new();
    for field in fields {
        let value = subject.get(*field)?;
        let text = value.text();
        if text.len() > LONGEST_VALUE {
            let digest = Sha256::digest(text.as_bytes());
            name.extend(digest.iter().map(|byte| format!("{byte:02x}")));
        } else {
            name.push_str(&format!("{}:{text}", text.len()));
        }
    }
    Some(name)
}

/// Whether a count satisfies all comparisons.
fn satisfied(bounds: &[Bound], count: usize) -> bool {
    bounds.iter().all(|(operator, bound)| match operator {
        ConditionOperator::Lt => count < *bound,
        ConditionOperator::Lte => count <= *bound,
        ConditionOperator::Gt => count > *bound,
        ConditionOperator::Gte => count >= *bound,
        ConditionOperator::Eq => count == *bound,
        ConditionOperator::Neq => count != *bound,
    })
}

/// A count beyond this one answers no comparison differently.
fn enough(bounds: &[Bound]) -> usize {
    1 + bounds.iter().map(|(_, bound)| *bound).max().unwrap_or(0)
}
