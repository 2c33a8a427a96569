//! What a loaded rule says about itself, apart from what it matches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::field::{Category, Field};

/// The four detection branches, by their exact names.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Branch {
    /// A package manager, or what it started, started something that attackers use.
    PackageInstallSpawnedSuspiciousProcess,
    /// Library code called out.
    MaliciousLibraryC2Callback,
    /// An install put code where it will run again.
    PackageInstallerDroppedExecutable,
    /// A store of credentials was opened.
    CredentialStoreAccess,
}

/// Sigma's levels, lowest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "Sigma v2.1, section level")]
pub enum Level {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// How sure an alert is; apart from how bad it would be.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "plain words")]
pub enum Confidence {
    Low,
    #[default]
    Medium,
    High,
}

/// A detection rule, as alerts, `rules show` and `explain` need it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// UUID.
    pub id: String,
    /// One line.
    pub title: String,
    /// What it looks for and why.
    pub description: String,
    /// How bad.
    pub level: Level,
    /// How sure.
    pub confidence: Confidence,
    /// Which of the four.
    pub branch: Branch,
    /// Which events it is asked about.
    pub category: Category,
    /// `attack.t1204.005` and the like.
    pub tags: Vec<String>,
    /// Where the technique is described.
    pub references: Vec<String>,
    /// Honest causes.
    pub false_positives: Vec<String>,
    /// Path below the rules folder, or as given.
    pub file: String,
    /// What to do about an alert.
    pub playbook: Playbook,
}

/// Sentences, in the order to act on them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the three parts of a playbook are what they are called"
)]
pub struct Playbook {
    pub investigate: Vec<String>,
    pub respond: Vec<String>,
    pub hunt: Vec<String>,
}

/// One condition that held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matched {
    /// Name of the selection in the rule.
    pub selection: String,
    /// Sigma field.
    pub field: String,
    /// The event's value of it.
    pub value: String,
}

/// A rule that matched an event.
#[derive(Debug, Clone)]
pub struct Hit<'r> {
    /// Which.
    pub rule: &'r Rule,
    /// What matched, enough to see why.
    pub matched: Vec<Matched>,
    /// The id of the filter that silences it, if one does.
    pub suppressed_by: Option<String>,
    /// The id of the filter that would, but is void in this session.
    pub void: Option<String>,
}

impl Hit<'_> {
    /// Whether that field had a part in it.
    pub fn asked(&self, field: Field) -> bool {
        self.matched.iter().any(|one| one.field == field.name())
    }
}
