//! What others say of the rules: the official JSON schemas, `sigma check`, pySigma with SQLite, and the
//! public collection's own rules. `xtask/bootstrap.sh test` fetches them once; from then on all of it
//! works without a network. A judge that is not here is skipped, and the skip says so.

mod collection;
mod corpus;
mod verdicts;

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folder of the tools that the scripts fetch.
fn tools() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cache");
    cache.unwrap_or_else(home).join("pkgwarden/tools")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A program of the Python environment; says that the test is skipped where it is not there in the
/// versions that are wanted.
fn program(name: &str, test: &str) -> Option<PathBuf> {
    let environment = tools().join("sigma");
    if environment.join("installed").is_file() {
        return Some(environment.join("bin").join(name));
    }
    println!(
        "SKIP {test}: sigma-cli and pySigma are not installed; `xtask/bootstrap.sh test` does it"
    );
    None
}

/// A folder of a repository that bootstrap fetched, at the commit that is wanted.
fn fetched(name: &str, test: &str) -> Option<PathBuf> {
    let list = fs::read_to_string(workspace().join("xtask/judges/repositories")).unwrap();
    let mut lines = list.lines().map(|line| line.split_whitespace());
    let commit = lines
        .find_map(|mut words| (words.next()? == name).then(|| words.next())?)
        .unwrap_or_else(|| panic!("no repository is called {name}"));
    let folder = tools().join(format!("sigma-{name}-{commit}"));
    if folder.is_dir() {
        return Some(folder);
    }
    println!(
        "SKIP {test}: the git host of Sigma's {name} could not be reached; `xtask/bootstrap.sh test` \
         tries it again"
    );
    None
}

/// A folder with the shipped rules, chains and filters and nothing else.
fn rules_alone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(workspace().join("rules")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if ["tests", "lists", "playbooks"]
            .iter()
            .any(|other| name == *other)
        {
            continue;
        }
        let to = folder.path().join(&name);
        fs::create_dir(&to).unwrap();
        for rule in fs::read_dir(entry.path()).unwrap() {
            let rule = rule.unwrap();
            fs::copy(rule.path(), to.join(rule.file_name())).unwrap();
        }
    }
    folder
}
