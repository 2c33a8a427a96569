//! What every document says about itself.

use super::Checker;
use crate::detect::rule::Level;
use crate::detect::yaml::Node;

pub(super) const KEYS: &[&str] = &[
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
];
const TEXTS: &[&str] = &[
    "name",
    "taxonomy",
    "description",
    "license",
    "author",
    "date",
    "modified",
];
const LISTS: &[&str] = &["references", "fields", "falsepositives", "tags", "scope"];
const STATUSES: &[&str] = &[
    "stable",
    "test",
    "experimental",
    "deprecated",
    "unsupported",
];
const LEVELS: &[(&str, Level)] = &[
    ("informational", Level::Informational),
    ("low", Level::Low),
    ("medium", Level::Medium),
    ("high", Level::High),
    ("critical", Level::Critical),
];

impl Checker<'_> {
    pub(super) fn metadata(&mut self, document: &Node) {
        for key in TEXTS {
            if let Some(node) = document.get(key)
                && node.text().is_none()
            {
                self.at(node, format!("`{key}` must be text"));
            }
        }
        for key in LISTS {
            let Some(node) = document.get(key) else {
                continue;
            };
            // falsepositives may be one string.
            if node.list().is_none() && !(*key == "falsepositives" && node.text().is_some()) {
                self.at(node, format!("`{key}` must be a list of texts"));
                continue;
            }
            for item in node.items() {
                if item.text().is_none() {
                    self.at(item, format!("an item of `{key}` must be text"));
                }
            }
        }
        if let Some(node) = document.get("status") {
            self.one_of(node, "status", STATUSES.iter().copied());
        }
    }

    pub(super) fn level(&mut self, document: &Node) -> Level {
        let Some(node) = document.get("level") else {
            return Level::Medium;
        };
        let name = self.one_of(node, "level", LEVELS.iter().map(|(name, _)| *name));
        LEVELS
            .iter()
            .find(|(known, _)| Some(*known) == name)
            .map_or(Level::Medium, |(_, level)| *level)
    }
}
