//! All loaded rules, ready to be asked.

use std::collections::HashMap;
use std::path::PathBuf;

use rsigma_eval::{CompiledRule, Engine, MatchDetailLevel, compile_rule, evaluate_rule};

use super::chain::Chain;
use super::problem::LoadErrors;
use super::rule::{Hit, Matched, Rule};
use super::screen::Screen;
use super::subject::Subject;
use super::{load, watch};
use crate::event::{WatchEntry, WatchKey, WatchSet};

/// Where rules come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The rules in this binary.
    pub shipped: bool,
    /// Folders (or files) of rules, read with their subfolders.
    pub rule_dirs: Vec<PathBuf>,
    /// Folders (or files) of filters.
    pub filter_dirs: Vec<PathBuf>,
}

/// A Sigma filter: what it names is suppressed, not unseen.
#[derive(Debug)]
pub struct Filter {
    /// UUID.
    pub id: String,
    /// One line.
    pub title: String,
    /// Path below the rules folder, or as given.
    pub file: String,
    /// Indices of the rules it is for.
    targets: Vec<usize>,
    compiled: CompiledRule,
}

/// Loaded, checked and compiled rules.
pub struct RuleSet {
    rules: Vec<Rule>,
    by_id: HashMap<String, usize>,
    /// One for each rule: the screen says which have to be asked.
    engines: Vec<Engine>,
    screen: Screen,
    filters: Vec<Filter>,
    chains: Vec<Chain>,
    /// Of each rule, the chains it is a link of, and where in them.
    links: HashMap<String, Vec<(usize, usize)>>,
    sha256: String,
    watch: Vec<Vec<WatchEntry>>,
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleSet")
            .field("rules", &self.rules.len())
            .field("filters", &self.filters.len())
            .field("sha256", &self.sha256)
            .finish()
    }
}

impl RuleSet {
    /// Reads and checks everything; all mistakes of all files at once.
    pub fn load(sources: &Sources) -> Result<Self, LoadErrors> {
        Self::load_with(sources, &[])
    }

    /// The same with more files, each a name and its text.
    pub fn load_with(sources: &Sources, more: &[(String, String)]) -> Result<Self, LoadErrors> {
        let loaded = load::load(sources, more)?;
        let mut set = Self {
            rules: Vec::new(),
            by_id: HashMap::new(),
            engines: Vec::new(),
            screen: Screen::default(),
            filters: Vec::new(),
            chains: loaded.chains,
            links: HashMap::new(),
            sha256: loaded.sha256,
            watch: Vec::new(),
        };
        for (at, chain) in set.chains.iter().enumerate() {
            for (position, member) in chain.definition.members.iter().enumerate() {
                let links = set.links.entry(member.clone()).or_default();
                links.push((at, position));
            }
        }
        let mut problems = Vec::new();
        for (rule, sigma, at) in loaded.rules {
            let mut engine = Engine::new();
            engine.set_match_detail(MatchDetailLevel::Summary);
            match engine.add_rule(&sigma) {
                Ok(()) => set
                    .screen
                    .add(rule.category, set.rules.len(), &engine.rules()[0]),
                Err(error) => problems.push(at.problem(error.to_string())),
            }
            let entries = watch::entries(&sigma, rule.category);
            set.watch.push(entries.unwrap_or_default());
            set.by_id.insert(rule.id.clone(), set.rules.len());
            set.engines.push(engine);
            set.rules.push(rule);
        }
        for filter in loaded.filters {
            match compile_rule(&filter.sigma) {
                Ok(compiled) => set.filters.push(Filter {
                    id: filter.id,
                    title: filter.title,
                    file: filter.file,
                    targets: filter.targets.iter().map(|id| set.by_id[id]).collect(),
                    compiled,
                }),
                Err(error) => problems.push(filter.at.problem(error.to_string())),
            }
        }
        set.screen.build();
        if problems.is_empty() {
            Ok(set)
        } else {
            Err(LoadErrors(problems))
        }
    }

    /// Takes a rule out of use: it raises nothing and has nothing watched. Whether there is one of
    /// this id that was in use.
    pub fn disable(&mut self, id: &str) -> bool {
        if let Some(chain) = self.chains.iter().position(|chain| chain.rule.id == id) {
            let mut used = false;
            for links in self.links.values_mut() {
                let before = links.len();
                links.retain(|(at, _)| *at != chain);
                used |= links.len() < before;
            }
            return used;
        }
        let Some(index) = self.by_id.remove(id) else {
            return false;
        };
        self.watch[index].clear();
        true
    }

    /// The rules that match, in the order they were loaded.
    pub fn evaluate(&self, subject: &Subject) -> Vec<Hit<'_>> {
        self.ask(self.screen.candidates(subject), subject)
    }

    /// Those of these rules that match.
    fn ask(&self, rules: Vec<usize>, subject: &Subject) -> Vec<Hit<'_>> {
        rules
            .into_iter()
            .filter(|index| self.by_id.contains_key(&self.rules[*index].id))
            .filter_map(|index| {
                let result = self.engines[index].evaluate(subject).pop()?;
                let mut matched: Vec<Matched> = result
                    .as_detection()?
                    .matched_fields
                    .iter()
                    .map(|found| Matched {
                        selection: found.selection.clone().unwrap_or_default(),
                        field: found.field.clone(),
                        value: match &found.value {
                            serde_json::Value::String(text) => text.clone(),
                            other => other.to_string(),
                        },
                    })
                    .collect();
                // The engine keeps selections in a hash map with a random order.
                matched.sort_by(|a, b| {
                    (&a.selection, &a.field, &a.value).cmp(&(&b.selection, &b.field, &b.value))
                });
                matched.dedup();
                Some(Hit {
                    rule: &self.rules[index],
                    matched,
                    suppressed_by: self.suppressed_by(index, subject),
                    void: None,
                })
            })
            .collect()
    }

    /// What [`RuleSet::evaluate`] would say if all rules of the category were asked.
    #[cfg(test)]
    pub(super) fn evaluate_unscreened(&self, subject: &Subject) -> Vec<Hit<'_>> {
        let of_category = |index: &usize| self.rules[*index].category == subject.category;
        self.ask((0..self.rules.len()).filter(of_category).collect(), subject)
    }

    #[cfg(test)]
    pub(super) fn candidates(&self, subject: &Subject) -> Vec<usize> {
        self.screen.candidates(subject)
    }

    /// The first filter for this rule whose condition does not hold: Sigma joins a filter's
    /// condition to the rule's with `and`, as written.
    fn suppressed_by(&self, rule: usize, subject: &Subject) -> Option<String> {
        self.filters
            .iter()
            .filter(|filter| filter.targets.contains(&rule))
            .find(|filter| evaluate_rule(&filter.compiled, subject).is_none())
            .map(|filter| filter.id.clone())
    }

    /// Every rule, in the order of loading.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Every correlation, in the order of loading.
    pub fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// The chains in use that a rule's or a correlation's matches are links of, each with the
    /// position of the link among its members.
    pub fn chains_of(&self, id: &str) -> impl Iterator<Item = (&Chain, usize)> {
        let links = self.links.get(id).into_iter().flatten();
        links.map(|&(at, position)| (&self.chains[at], position))
    }

    /// Every rule and every correlation, as alerts name them.
    pub fn described(&self) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .chain(self.chains.iter().map(|chain| &chain.rule))
    }

    /// Every filter.
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// The rules that a filter is for.
    pub fn targets<'s>(&'s self, filter: &'s Filter) -> impl Iterator<Item = &'s Rule> {
        filter.targets.iter().map(|&index| &self.rules[index])
    }

    /// A digest of all rule and filter files, hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Which files the kernel must report so that no rule is unfed.
    pub fn watch_set(&self) -> WatchSet {
        watch::union(self.watch.iter().flatten().cloned())
    }

    /// The rules for which every path must be reported: what they cost is an event for each
    /// operation on any file.
    pub fn rules_that_need_any(&self) -> Vec<&Rule> {
        self.rules
            .iter()
            .zip(&self.watch)
            .filter(|(_, entries)| entries.iter().any(|entry| entry.key == WatchKey::Any))
            .map(|(rule, _)| rule)
            .collect()
    }

    /// The watch entries of one rule.
    pub fn watch_entries(&self, rule: &Rule) -> &[WatchEntry] {
        self.by_id
            .get(&rule.id)
            .map_or(&[], |&index| &self.watch[index])
    }
}
