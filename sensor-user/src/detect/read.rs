//! The files that hold rules.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::ruleset::Sources;
use super::shipped;
use super::yaml::SourceFile;

/// Folders beside rules that hold no rules.
const NO_RULES: &[&str] = &["tests", "lists", "playbooks"];

/// Names and texts, each with its length, so that moving a byte between them shows.
pub(super) fn digest(files: &[SourceFile]) -> String {
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

/// Every file of the sources that can be read.
pub(super) fn read(sources: &Sources, problems: &mut Vec<Problem>) -> Vec<SourceFile> {
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
