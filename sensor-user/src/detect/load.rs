//! From files to checked rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rsigma_parser::{DiagnosticKind, FilterRule, SigmaRule, parse_sigma_yaml};
use sha2::{Digest, Sha256};

use super::check::{self, Checked};
use super::field::Category;
use super::problem::{LoadErrors, Problem, suggest};
use super::rule::{Branch, Playbook, Rule};
use super::ruleset::Sources;
use super::yaml::{Node, SourceFile};
use super::{playbook, shipped};

/// Folders beside rules that hold no rules.
const NO_RULES: &[&str] = &["tests", "lists", "playbooks"];

/// Everything that was read, without mistakes.
pub(super) struct Loaded {
    pub(super) rules: Vec<(Rule, SigmaRule, Place)>,
    pub(super) filters: Vec<LoadedFilter>,
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
struct Document {
    file: usize,
    checked: Checked,
}

pub(super) fn load(sources: &Sources) -> Result<Loaded, LoadErrors> {
    let mut problems = Vec::new();
    let files = read(sources, &mut problems);
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

    let mut parsed = Vec::new();
    for index in readable {
        let of_file = documents.iter().filter(|document| document.file == index);
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
    Ok(assemble(&files, &documents, parsed))
}

/// The engine's own parse, after the checks.
enum Parsed {
    Rule(Checked, usize, Box<SigmaRule>),
    Filter(Checked, usize, Box<FilterRule>),
}

fn parse<'d>(
    file: &SourceFile,
    documents: impl Iterator<Item = &'d Document>,
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
    let documents: Vec<&Document> = documents.collect();
    for diagnostic in &collection.diagnostics {
        let (line, column) = match diagnostic.location {
            Some(location) => (location.line as usize, location.col as usize),
            None => diagnostic
                .document
                .and_then(|at| documents.get(at))
                .map_or((1, 1), |document| document.checked.at),
        };
        let problem = file.problem_at(line, column, diagnostic.to_string());
        problems.push((diagnostic.kind, problem));
    }
    if !collection.diagnostics.is_empty() {
        return;
    }
    let mut rules = collection.rules.into_iter();
    let mut filters = collection.filters.into_iter();
    for document in documents {
        let checked = document.checked.clone();
        let next = if checked.targets.is_some() {
            let filter = filters.next().map(Box::new);
            filter.map(|filter| Parsed::Filter(checked, document.file, filter))
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

fn assemble(files: &[SourceFile], documents: &[Document], parsed: Vec<Parsed>) -> Loaded {
    let mut loaded = Loaded {
        rules: Vec::new(),
        filters: Vec::new(),
        sha256: digest(files),
    };
    let place = |file: usize, checked: &Checked| Place {
        file: files[file].clone(),
        at: checked.at,
    };
    for parsed in parsed {
        match parsed {
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
    loaded
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

/// Names and texts, each with its length, so that moving a byte between them shows.
fn digest(files: &[SourceFile]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        for part in [&file.name, &file.text] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn read(sources: &Sources, problems: &mut Vec<Problem>) -> Vec<SourceFile> {
    let mut files = Vec::new();
    if sources.shipped {
        files.extend(shipped::documents().map(|(name, text)| SourceFile {
            name: name.to_owned(),
            text: text.to_owned(),
        }));
    }
    for path in sources.rule_dirs.iter().chain(&sources.filter_dirs) {
        let mut found = Vec::new();
        if let Err((path, error)) = rule_files(path, &mut found) {
            problems.push(unreadable(&path, &error));
        }
        found.sort();
        for path in found {
            let text = fs::read(&path).and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8 text"))
            });
            match text {
                Ok(text) => files.push(SourceFile {
                    name: path.display().to_string(),
                    text,
                }),
                Err(error) => problems.push(unreadable(&path, &error)),
            }
        }
    }
    files
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let file = SourceFile {
        name: path.display().to_string(),
        text: String::new(),
    };
    file.problem_at(1, 1, format!("can't be read: {error}"))
}

fn rule_files(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), (PathBuf, std::io::Error)> {
    let failed = |error| (path.to_owned(), error);
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let child = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            if !NO_RULES.iter().any(|skip| name == *skip) {
                rule_files(&child, found)?;
            }
        } else if child.extension().is_some_and(|e| e == "yml" || e == "yaml") {
            found.push(child);
        }
    }
    Ok(())
}
