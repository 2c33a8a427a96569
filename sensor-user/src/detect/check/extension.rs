//! The `pkgwarden` key: branch, confidence, playbook.

use super::{Checker, Extension};
use crate::detect::rule::{Branch, Confidence, Playbook};
use crate::detect::yaml::Node;

const BRANCHES: &[(&str, Branch)] = &[
    (
        "PackageInstallSpawnedSuspiciousProcess",
        Branch::PackageInstallSpawnedSuspiciousProcess,
    ),
    (
        "MaliciousLibraryC2Callback",
        Branch::MaliciousLibraryC2Callback,
    ),
    (
        "PackageInstallerDroppedExecutable",
        Branch::PackageInstallerDroppedExecutable,
    ),
    ("CredentialStoreAccess", Branch::CredentialStoreAccess),
];
const CONFIDENCES: &[(&str, Confidence)] = &[
    ("low", Confidence::Low),
    ("medium", Confidence::Medium),
    ("high", Confidence::High),
];

impl Checker<'_> {
    pub(super) fn extension(&mut self, node: &Node) -> Extension {
        let mut extension = Extension::default();
        let Some(entries) = node.map() else {
            self.at(
                node,
                "`pkgwarden` must be a mapping of branch, confidence, playbook",
            );
            return extension;
        };
        for (key, value) in entries {
            self.known_key(key, ["branch", "confidence", "playbook"], " of `pkgwarden`");
            match key.text() {
                Some("branch") => {
                    let names = BRANCHES.iter().map(|(name, _)| *name);
                    let name = self.one_of(value, "branch", names);
                    extension.branch = named(BRANCHES, name);
                }
                Some("confidence") => {
                    let names = CONFIDENCES.iter().map(|(name, _)| *name);
                    let name = self.one_of(value, "confidence", names);
                    extension.confidence = named(CONFIDENCES, name).unwrap_or_default();
                }
                Some("playbook") => extension.playbook = self.playbook(value),
                _ => {}
            }
        }
        extension
    }

    pub(super) fn playbook(&mut self, node: &Node) -> Playbook {
        let mut playbook = Playbook::default();
        let Some(entries) = node.map() else {
            self.at(
                node,
                "a playbook must be a mapping of investigate, respond, hunt",
            );
            return playbook;
        };
        for (key, value) in entries {
            self.known_key(key, ["investigate", "respond", "hunt"], " of a playbook");
            let part = match key.text() {
                Some("investigate") => &mut playbook.investigate,
                Some("respond") => &mut playbook.respond,
                Some("hunt") => &mut playbook.hunt,
                _ => continue,
            };
            let Some(items) = value.list() else {
                self.at(value, "this part of a playbook must be a list of sentences");
                continue;
            };
            for item in items {
                match item.text() {
                    Some(text) => part.push(text.split_whitespace().collect::<Vec<_>>().join(" ")),
                    None => self.at(item, "a step of a playbook must be text"),
                }
            }
        }
        playbook
    }
}

fn named<T: Copy>(table: &[(&str, T)], name: Option<&str>) -> Option<T> {
    let (_, value) = table.iter().find(|(known, _)| Some(*known) == name)?;
    Some(*value)
}
