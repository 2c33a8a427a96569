//! The house rules that neither rustfmt nor clippy checks, over every file that git would keep.
//!
//! No host of a package registry is named outside `rules/lists`: tidy takes the names from there,
//! so that it need not name them either.

mod checks;
mod hosts;
mod layers;
mod scrub;

use std::path::Path;

use anyhow::bail;
use xshell::{Shell, cmd};

use crate::workspace;

/// One breach: which file, which line (from 1), what and what to do.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    line: usize,
    message: String,
}

impl Finding {
    fn new(line: usize, message: impl Into<String>) -> Finding {
        Finding {
            line,
            message: message.into(),
        }
    }
}

pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    let root = workspace::root();
    let _root = sh.push_dir(root);
    let files = cmd!(sh, "git ls-files --cached --others --exclude-standard -z")
        .quiet()
        .read()?;
    let hosts = hosts::trusted(root)?;
    let mut breaches = 0;
    for file in files.split_terminator('\0') {
        // Gone from the work tree but not yet from git, or not text: nothing to read.
        let Ok(text) = sh.read_file(file) else {
            continue;
        };
        for Finding { line, message } in check(Path::new(file), &text, &hosts, root) {
            println!("{file}:{line}: {message}");
            breaches += 1;
        }
    }
    if breaches > 0 {
        bail!("{breaches} breaches of the house rules");
    }
    Ok(())
}

fn check(file: &Path, text: &str, hosts: &[String], root: &Path) -> Vec<Finding> {
    let mut findings = checks::name(file);
    // Made by cargo, and made of registry addresses.
    if file != Path::new("Cargo.lock") {
        findings.extend(checks::checkout(text, root));
        // And addresses that are fetched from at set-up, at a commit each.
        let addresses = file == Path::new("xtask/judges/repositories");
        if !addresses && !file.starts_with(hosts::FOLDER) {
            findings.extend(hosts::named(text, hosts));
        }
    }
    if has_extension(file, &["rs", "sh", "py", "js", "yml"]) {
        findings.extend(checks::length(text));
    }
    if has_extension(file, &["rs", "sh", "py", "js", "toml", "md"]) {
        findings.extend(checks::unfinished(text));
    }
    if has_extension(file, &["rs"]) {
        let source = scrub::Source::new(text);
        findings.extend(checks::unsafety(&source, file));
        findings.extend(checks::macros_and_attributes(&source));
        findings.extend(layers::reach(&source, file));
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn has_extension(file: &Path, wanted: &[&str]) -> bool {
    file.extension()
        .is_some_and(|extension| wanted.iter().any(|wanted| extension == *wanted))
}
