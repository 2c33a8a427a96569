//! The hidden verb `generate`: man pages and shell completions, made from the command line itself,
//! so that a package always has those of the very program in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

/// What `generate` is given.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    what: What,
    /// Must be there.
    folder: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Man,
    Completions,
}

/// Writes the files.
pub(crate) fn generate(args: &GenerateArgs) -> ExitCode {
    let written = match args.what {
        What::Man => man(&args.folder),
        What::Completions => completions(&args.folder),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "pkgwarden: {} can't be filled: {error}",
                args.folder.display()
            );
            ExitCode::FAILURE
        }
    }
}

/// One page a verb that is not hidden.
fn man(folder: &Path) -> io::Result<()> {
    clap_mangen::generate_to(super::command(), folder)
}

/// Bash, zsh and fish, each under the name by which the shell looks for it.
fn completions(folder: &Path) -> io::Result<()> {
    let files = [
        (Shell::Bash, "pkgwarden"),
        (Shell::Zsh, "_pkgwarden"),
        (Shell::Fish, "pkgwarden.fish"),
    ];
    for (shell, name) in files {
        let mut file = fs::File::create(folder.join(name))?;
        clap_complete::generate(shell, &mut super::command(), "pkgwarden", &mut file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visible_verb_has_a_page_and_stands_in_every_completion() {
        let folder = tempfile::tempdir().unwrap();
        man(folder.path()).unwrap();
        completions(folder.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let command = super::super::command();
        let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        for verb in verbs.map(clap::Command::get_name) {
            assert!(read(&format!("pkgwarden-{verb}.1")).contains("SYNOPSIS"));
            for completion in ["pkgwarden", "_pkgwarden", "pkgwarden.fish"] {
                assert!(read(completion).contains(verb), "{verb} in {completion}");
            }
        }
        assert!(!folder.path().join("pkgwarden-sensor.1").exists());
    }

    #[test]
    fn a_page_names_the_variable_of_an_option() {
        let folder = tempfile::tempdir().unwrap();
        man(folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("pkgwarden-run.1")).unwrap();
        assert!(page.contains("PKGWARDEN_MIN_LEVEL"), "{page}");
    }
}
