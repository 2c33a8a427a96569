//! From files to checked rules.

use std::collections::BTreeMap;

use rsigma_parser::{CorrelationRule, DiagnosticKind, FilterRule, SigmaRule, parse_sigma_yaml};

use super::chain::{self, Chain, Definition};
use super::check::{self, Checked};
use super::field::Category;
use super::playbook;
use super::problem::{LoadErrors, Problem, suggest};
use super::read::{digest, read};
use super::rule::{Branch, Playbook, Rule};
use super::ruleset::Sources;
use super::yaml::{Node, SourceFile};

/// Everything that was read, without mistakes.
pub(super) struct Loaded {
    pub(super) rules: Vec<(Rule, SigmaRule, Place)>,
    pub(super) filters: Vec<LoadedFilter>,
    pub(super) chains: Vec<Chain>,
    pub(super) sha256: String,
}

/// A filter, with the ids of its rules.
pub(super) struct LoadedFilter {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) file: String,
    pub(super) targets: Vec<String>,
    pub(super) sigma: SigmaRule,
    pub(super) at: Place,
}

/// A document in a file.
pub(super) struct Place {
    file: SourceFile,
    at: (usize, usize),
}

impl Place {
    pub(super) fn problem(&self, message: String) -> Problem {
        self.file.problem_at(self.at.0, self.at.1, message)
    }
}

/// A document that was checked, and its file.
pub(super) struct Document {
    pub(super) file: usize,
    pub(super) checked: Checked,
}

pub(super) fn load(sources: &Sources, more: &[(String, String)]) -> Result<Loaded, LoadErrors> {
    let mut problems = Vec::new();
    let mut files = read(sources, &mut problems);
    files.extend(
        more.iter()
            .cloned()
            .map(|(name, text)| SourceFile { name, text }),
    );
    let mut documents = Vec::new();
    let mut sound = Vec::new();
    let mut readable = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let before = problems.len();
        match Node::documents(file) {
            Err(problem) => problems.push(problem),
            Ok(nodes) => {
                readable.push(index);
                for node in nodes {
                    let (checked, found) = check::document(file, &node);
                    problems.extend(found);
                    documents.extend(checked.map(|checked| Document {
                        file: index,
                        checked,
                    }));
                }
            }
        }
        if problems.len() == before {
            sound.push(index);
        }
    }
    across(&files, &documents, &mut problems);
    let chains = chain::resolve(&files, &documents, &mut problems);

    let mut parsed = Vec::new();
    for index in readable {
        let of_file = documents.iter().enumerate();
        let of_file = of_file.filter(|(_, document)| document.file == index);
        let mut found = Vec::new();
        parse(&files[index], of_file, &mut parsed, &mut found);
        // In a file with other mistakes only a key that stands twice is news.
        problems.extend(
            found
                .into_iter()
                .filter(|(kind, _)| sound.contains(&index) || *kind == DiagnosticKind::YamlSyntax)
                .map(|(_, problem)| problem),
        );
    }
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        return Err(LoadErrors(problems));
    }
    Ok(assemble(&files, &documents, parsed, &chains))
}

/// The engine's own parse, after the checks.
enum Parsed {
    Rule(Checked, usize, Box<SigmaRule>),
    Filter(Checked, usize, Box<FilterRule>),
    /// With the index of its document.
    Chain(Checked, usize, Box<CorrelationRule>, usize),
}

fn parse<'d>(
    file: &SourceFile,
    documents: impl Iterator<Item = (usize, &'d Document)>,
    parsed: &mut Vec<Parsed>,
    problems: &mut Vec<(DiagnosticKind, Problem)>,
) {
    let collection = match parse_sigma_yaml(&file.text) {
        Ok(collection) => collection,
        Err(error) => {
            let kind = DiagnosticKind::Document(error.kind());
            return problems.push((kind, file.problem_at(1, 1, error.to_string())));
        }
    };
    let documents: Vec<(usize, &Document)> = documents.collect();
    for diagnostic in &collection.diagnostics {
        let (line, column) = match diagnostic.location {
            Some(location) => (location.line as usize, location.col as usize),
            None => diagnostic
                .document
                .and_then(|at| documents.get(at))
                .map_or((1, 1), |(_, document)| document.checked.at),
        };
        let problem = file.problem_at(line, column, diagnostic.to_string());
        problems.push((diagnostic.kind, problem));
    }
    if !collection.diagnostics.is_empty() {
        return;
    }
    let mut rules = collection.rules.into_iter();
    let mut filters = collection.filters.into_iter();
    let mut chains = collection.correlations.into_iter();
    for (index, document) in documents {
        let checked = document.checked.clone();
        let next = if checked.targets.is_some() {
            let filter = filters.next().map(Box::new);
            filter.map(|filter| Parsed::Filter(checked, document.file, filter))
        } else if checked.chain.is_some() {
            let chain = chains.next().map(Box::new);
            chain.map(|chain| Parsed::Chain(checked, document.file, chain, index))
        } else {
            let rule = rules.next().map(Box::new);
            rule.map(|rule| Parsed::Rule(checked, document.file, rule))
        };
        parsed.extend(next);
    }
}

/// What only shows with all files at hand.
fn across(files: &[SourceFile], documents: &[Document], problems: &mut Vec<Problem>) {
    let mut first = BTreeMap::<String, &Document>::new();
    for document in documents {
        let Checked { id, id_at, .. } = &document.checked;
        if id.is_empty() {
            continue;
        }
        if let Some(other) = first.get(&id.to_lowercase()) {
            let there = &files[other.file].name;
            let message = format!(
                "the id `{id}` is taken by {there}:{}",
                other.checked.id_at.0
            );
            problems.push(files[document.file].problem_at(id_at.0, id_at.1, message));
        } else {
            first.insert(id.to_lowercase(), document);
        }
    }
    for document in documents {
        let file = &files[document.file];
        for target in document.checked.targets.iter().flatten() {
            match named(documents, &target.name) {
                None => {
                    let known = documents.iter().filter(|d| d.checked.targets.is_none());
                    let names = known.flat_map(|d| [d.checked.id.as_str(), &d.checked.title]);
                    let message = format!("no rule is called `{}`", target.name);
                    let mut problem = file.problem_at(target.at.0, target.at.1, message);
                    problem.width = target.name.chars().count().max(1);
                    problem.suggestion = suggest(&target.name, names);
                    problems.push(problem);
                }
                Some(rule) if rule.checked.chain.is_some() => {
                    let message = format!(
                        "`{}` is a correlation: filter the rules that it lists",
                        target.name
                    );
                    problems.push(file.problem_at(target.at.0, target.at.1, message));
                }
                Some(rule) if rule.checked.category != document.checked.category => {
                    let message = format!(
                        "`{}` is a rule of another category than this filter",
                        target.name
                    );
                    problems.push(file.problem_at(target.at.0, target.at.1, message));
                }
                Some(_) => {}
            }
        }
    }
}

/// The rule with that id or title.
fn named<'d>(documents: &'d [Document], name: &str) -> Option<&'d Document> {
    documents.iter().find(|document| {
        let Checked {
            id, title, targets, ..
        } = &document.checked;
        targets.is_none() && (id.eq_ignore_ascii_case(name) || title == name)
    })
}

fn assemble(
    files: &[SourceFile],
    documents: &[Document],
    parsed: Vec<Parsed>,
    definitions: &BTreeMap<usize, Definition>,
) -> Loaded {
    let mut loaded = Loaded {
        rules: Vec::new(),
        filters: Vec::new(),
        chains: Vec::new(),
        sha256: digest(files),
    };
    let place = |file: usize, checked: &Checked| Place {
        file: files[file].clone(),
        at: checked.at,
    };
    let mut correlations = Vec::new();
    for parsed in parsed {
        match parsed {
            Parsed::Chain(checked, file, sigma, index) => {
                correlations.extend(definitions.get(&index).map(|d| (checked, file, sigma, d)));
            }
            Parsed::Rule(checked, file, sigma) => {
                let at = place(file, &checked);
                let rule = rule(checked, &files[file].name, &sigma);
                loaded.rules.push((rule, *sigma, at));
            }
            Parsed::Filter(checked, file, sigma) => loaded.filters.push(LoadedFilter {
                at: place(file, &checked),
                targets: checked
                    .targets
                    .iter()
                    .flatten()
                    .filter_map(|target| named(documents, &target.name))
                    .map(|document| document.checked.id.clone())
                    .collect(),
                id: checked.id,
                title: checked.title,
                file: files[file].name.clone(),
                sigma: as_rule(*sigma),
            }),
        }
    }
    for (checked, file, sigma, definition) in correlations {
        let last = last_link(definition, documents, definitions);
        let last = loaded
            .rules
            .iter()
            .find(|(rule, ..)| Some(&*rule.id) == last);
        if let Some((last, ..)) = last {
            let file = &files[file].name;
            let chain = chain::assemble(checked, file, *sigma, definition.clone(), last);
            loaded.chains.push(chain);
        }
    }
    loaded
}

/// The id of the rule that a chain ends with. A correlation may be a link of another, never of itself.
fn last_link<'d>(
    definition: &'d Definition,
    documents: &[Document],
    definitions: &'d BTreeMap<usize, Definition>,
) -> Option<&'d str> {
    let last = definition.members.last()?;
    let nested = definitions
        .iter()
        .find(|(at, _)| documents[**at].checked.id == *last);
    match nested {
        Some((_, nested)) => last_link(nested, documents, definitions),
        None => Some(last),
    }
}

fn rule(checked: Checked, file: &str, sigma: &SigmaRule) -> Rule {
    let category = checked.category.unwrap_or(Category::ProcessCreation);
    let branch = checked.extension.branch.unwrap_or(default_branch(category));
    let own = checked.extension.playbook;
    let general = playbook::of_branch(branch);
    let part = |own: Vec<String>, general: &[String]| {
        if own.is_empty() {
            general.to_vec()
        } else {
            own
        }
    };
    Rule {
        id: checked.id,
        title: checked.title,
        description: sigma.description.clone().unwrap_or_default().trim().into(),
        level: checked.level,
        confidence: checked.extension.confidence,
        branch,
        category,
        tags: sigma.tags.clone(),
        references: sigma.references.clone(),
        false_positives: sigma.falsepositives.clone(),
        file: file.to_owned(),
        playbook: Playbook {
            investigate: part(own.investigate, &general.investigate),
            respond: part(own.respond, &general.respond),
            hunt: part(own.hunt, &general.hunt),
        },
    }
}

fn default_branch(category: Category) -> Branch {
    match category {
        Category::ProcessCreation => Branch::PackageInstallSpawnedSuspiciousProcess,
        Category::NetworkConnection | Category::DnsQuery => Branch::MaliciousLibraryC2Callback,
        Category::FileEvent | Category::FileRename | Category::FileDelete => {
            Branch::PackageInstallerDroppedExecutable
        }
        Category::FileAccess => Branch::CredentialStoreAccess,
    }
}

/// A filter's body as a rule, so that the engine can be asked whether its condition holds.
fn as_rule(filter: FilterRule) -> SigmaRule {
    SigmaRule {
        title: filter.title,
        logsource: filter.logsource.unwrap_or_default(),
        detection: filter.detection,
        sigma_version: filter.sigma_version,
        id: filter.id,
        name: None,
        related: Vec::new(),
        taxonomy: None,
        status: None,
        description: None,
        license: None,
        author: None,
        references: Vec::new(),
        date: None,
        modified: None,
        fields: Vec::new(),
        falsepositives: Vec::new(),
        level: None,
        tags: Vec::new(),
        scope: Vec::new(),
        custom_attributes: Default::default(),
    }
}
