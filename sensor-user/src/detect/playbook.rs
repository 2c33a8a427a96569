//! What to do about an alert of a branch, for rules that say nothing more special.

use std::sync::LazyLock;

use super::check;
use super::rule::{Branch, Playbook};
use super::shipped;
use super::yaml::{Node, SourceFile};

/// The playbook of a branch.
pub(super) fn of_branch(branch: Branch) -> &'static Playbook {
    static ALL: LazyLock<[Playbook; 4]> = LazyLock::new(|| {
        [
            "PackageInstallSpawnedSuspiciousProcess",
            "MaliciousLibraryC2Callback",
            "PackageInstallerDroppedExecutable",
            "CredentialStoreAccess",
        ]
        .map(read)
    });
    &ALL[branch as usize]
}

fn read(branch: &str) -> Playbook {
    let name = format!("playbooks/{branch}.yml");
    let file = SourceFile {
        text: shipped::text(&name).to_owned(),
        name,
    };
    let documents = Node::documents(&file).unwrap_or_else(|problem| panic!("{problem:?}"));
    let (playbook, problems) = check::playbook(&file, &documents[0]);
    assert!(problems.is_empty(), "{problems:?}");
    playbook
}
