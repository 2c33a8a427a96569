//! Walks a document before the engine sees it and says everything that is wrong with it, with
//! positions. The engine itself accepts unknown fields, misspelt levels and unknown keys.

mod condition;
mod correlation;
mod detection;
mod extension;
mod metadata;

use super::field::Category;
use super::problem::{Problem, suggest};
use super::rule::{Branch, Confidence, Level, Playbook};
use super::yaml::{Data, Node, SourceFile};

pub(super) use correlation::{Correlation, Kind};

/// What a document says that the engine's own parse does not tell.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) title: String,
    pub(super) category: Option<Category>,
    pub(super) level: Level,
    pub(super) extension: Extension,
    /// The names in a filter's `rules`; `None` for a rule.
    pub(super) targets: Option<Vec<Target>>,
    /// Of a correlation rule.
    pub(super) chain: Option<Correlation>,
    /// Where the document begins, and its `id`.
    pub(super) at: (usize, usize),
    pub(super) id_at: (usize, usize),
}

/// A rule that a filter or a correlation names, or a field, and where.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) at: (usize, usize),
}

/// The `pkgwarden` key of a rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Extension {
    pub(super) branch: Option<Branch>,
    pub(super) confidence: Confidence,
    pub(super) playbook: Playbook,
}

/// Where a rule says what Sigma has no key for. The specification leaves other top-level keys free.
pub(super) const EXTENSION: &str = "pkgwarden";

/// Checks one document. What it returns beside problems is only good when there are none.
pub(super) fn document(file: &SourceFile, document: &Node) -> (Option<Checked>, Vec<Problem>) {
    let mut checker = Checker {
        file,
        problems: Vec::new(),
    };
    let checked = checker.document(document);
    (checked, checker.problems)
}

/// Reads a branch's playbook.
pub(super) fn playbook(file: &SourceFile, node: &Node) -> (Playbook, Vec<Problem>) {
    let mut checker = Checker {
        file,
        problems: Vec::new(),
    };
    let playbook = checker.playbook(node);
    (playbook, checker.problems)
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Rule,
    Filter,
    Correlation,
}

impl Body {
    fn of(document: &Node) -> Self {
        match (document.get("correlation"), document.get("filter")) {
            (Some(_), _) => Body::Correlation,
            (None, Some(_)) => Body::Filter,
            (None, None) => Body::Rule,
        }
    }

    /// Where it says what it looks for.
    fn key(self) -> &'static str {
        match self {
            Body::Rule => "detection",
            Body::Filter => "filter",
            Body::Correlation => "correlation",
        }
    }

    /// What it has besides the metadata.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Body::Rule => &["detection", "logsource", EXTENSION],
            Body::Filter => &["filter", "logsource"],
            Body::Correlation => &["correlation", "generate", EXTENSION],
        }
    }
}

struct Checker<'f> {
    file: &'f SourceFile,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn document(&mut self, document: &Node) -> Option<Checked> {
        let Some(entries) = document.map() else {
            self.at(
                document,
                "a rule file holds mappings with `title`, `logsource` and `detection`",
            );
            return None;
        };
        let body = Body::of(document);
        let known = || metadata::KEYS.iter().chain(body.keys()).copied();
        for (key, _) in entries {
            self.known_key(key, known(), "");
        }

        let title = self.required_text(document, "title");
        let id = self.required_text(document, "id");
        if let (Some(id), Some(node)) = (&id, document.get("id"))
            && uuid::Uuid::try_parse(id).is_err()
        {
            self.at(node, format!("`{id}` is not a UUID"));
        }
        self.metadata(document);
        let level = self.level(document);
        let mut category = None;
        let mut targets = None;
        let mut chain = None;
        match (body, document.get(body.key())) {
            (Body::Correlation, node) => {
                self.generate(document);
                chain = Some(self.correlation(node.unwrap_or(document))?);
            }
            (_, Some(node)) => {
                category = self.logsource(document);
                let is_filter = body == Body::Filter;
                if is_filter {
                    targets = Some(self.targets(node));
                }
                self.detection(node, category, is_filter);
            }
            (_, None) => {
                category = self.logsource(document);
                self.at(document, format!("`{}` is missing", body.key()));
            }
        }
        let extension = match document.get(EXTENSION) {
            Some(node) => self.extension(node),
            None => Extension::default(),
        };
        let id_at = document.get("id").unwrap_or(document);
        let name = document.get("name").and_then(Node::text);
        Some(Checked {
            id: id.unwrap_or_default(),
            name: name.map(str::to_owned),
            title: title.unwrap_or_default(),
            category,
            level,
            extension,
            targets,
            chain,
            at: (document.line, document.column),
            id_at: (id_at.line, id_at.column),
        })
    }

    fn logsource(&mut self, document: &Node) -> Option<Category> {
        let Some(node) = document.get("logsource") else {
            self.at(
                document,
                "`logsource` is missing: it says which `category` of events to match",
            );
            return None;
        };
        let Some(entries) = node.map() else {
            self.at(node, "`logsource` must be a mapping with a `category`");
            return None;
        };
        for (key, value) in entries {
            let keys = ["category", "product", "service", "definition"];
            self.known_key(key, keys, " of `logsource`");
            if key.text() == Some("product") && value.text() != Some("linux") {
                self.at(
                    value,
                    "`product` must be `linux`: no other system is watched",
                );
            }
            if key.text() == Some("service") {
                self.at(
                    value,
                    "no log of a service is read: a rule names a `category` and no `service`",
                );
            }
        }
        let Some(category) = node.get("category") else {
            self.at(
                node,
                format!("`category` is missing; it is one of {}", category_names()),
            );
            return None;
        };
        let names = Category::ALL.iter().map(|category| category.name());
        Category::from_name(self.one_of(category, "category", names)?)
    }

    fn targets(&mut self, filter: &Node) -> Vec<Target> {
        let Some(rules) = filter.get("rules") else {
            self.at(
                filter,
                "`rules` is missing: it lists the ids of the rules to filter",
            );
            return Vec::new();
        };
        let Some(items) = rules.list().filter(|items| !items.is_empty()) else {
            self.at(
                rules,
                "`rules` must list the ids of the rules to filter, at least one",
            );
            return Vec::new();
        };
        let mut targets = Vec::new();
        for item in items {
            match item.text() {
                Some(name) => targets.push(Target {
                    name: name.to_owned(),
                    at: (item.line, item.column),
                }),
                None => self.at(item, "a rule to filter is named by its id or title"),
            }
        }
        targets
    }

    fn required_text(&mut self, map: &Node, key: &str) -> Option<String> {
        match map.get(key) {
            None => self.at(map, format!("`{key}` is missing")),
            Some(node) => match node.text() {
                Some(text) if !text.is_empty() => return Some(text.to_owned()),
                _ => self.at(node, format!("`{key}` must be text")),
            },
        }
        None
    }

    /// The value if it is one of `known`; a problem otherwise.
    fn one_of<'a>(
        &mut self,
        node: &Node,
        what: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<&'a str> {
        let text = match &node.data {
            Data::Text(text) => text.as_str(),
            _ => "",
        };
        let found = known.clone().find(|name| *name == text);
        if found.is_none() {
            let all = known.clone().collect::<Vec<_>>().join(", ");
            self.suggesting(
                node,
                text,
                format!("unknown {what} `{text}`; known are {all}"),
                known,
            );
        }
        found
    }

    fn known_key<'a>(&mut self, key: &Node, known: impl IntoIterator<Item = &'a str>, of: &str) {
        let known: Vec<&str> = known.into_iter().collect();
        match key.text() {
            Some(name) if known.contains(&name) => {}
            Some(name) => {
                self.suggesting(key, name, format!("unknown key `{name}`{of}"), known);
            }
            None => self.at(key, format!("a key{of} must be text")),
        }
    }

    /// A problem that underlines `word`, with the nearest of `known`.
    fn suggesting<'a>(
        &mut self,
        node: &Node,
        word: &str,
        message: String,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        self.word_at((node.line, node.column), word, message);
        if let Some(last) = self.problems.last_mut() {
            last.suggestion = suggest(word, known);
        }
    }

    fn at(&mut self, node: &Node, message: impl Into<String>) {
        let problem = self.file.problem_at(node.line, node.column, message.into());
        self.problems.push(problem);
    }

    fn word_at(&mut self, (line, column): (usize, usize), word: &str, message: String) {
        let mut problem = self.file.problem_at(line, column, message);
        problem.width = word.chars().count().max(1);
        self.problems.push(problem);
    }
}

fn category_names() -> String {
    let names: Vec<_> = Category::ALL
        .iter()
        .map(|category| category.name())
        .collect();
    names.join(", ")
}
