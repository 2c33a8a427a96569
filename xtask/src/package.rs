//! The Debian package, by cargo-deb from `[package.metadata.deb]` of sensor-user.
//!
//! What it holds is gathered in `target/package` first: the program without symbols, and the man
//! pages and completions that this very program makes.

pub(crate) mod security;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

use crate::{setup, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The pkgwarden to pack, instead of the one that `cargo xtask build` made.
    #[arg(long, value_name = "FILE")]
    pkgwarden: Option<PathBuf>,
}

/// Leaves the package in `target/debian`.
pub(crate) fn run(sh: &Shell, arguments: &Arguments) -> anyhow::Result<()> {
    let built = workspace::root().join("target/release/pkgwarden");
    let pkgwarden = arguments.pkgwarden.as_ref().unwrap_or(&built);
    println!("{}", release(sh, pkgwarden)?.display());
    Ok(())
}

/// Makes the package of what was built before, and has lintian look at it.
pub(crate) fn check(sh: &Shell) -> anyhow::Result<()> {
    let package = release(sh, &workspace::root().join("target/release/pkgwarden"))?;
    let lintian = cmd!(sh, "lintian --allow-root --fail-on error,warning {package}");
    Ok(lintian.quiet().run()?)
}

fn release(sh: &Shell, pkgwarden: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        pkgwarden.exists(),
        "there is no {}: cargo xtask build",
        pkgwarden.display()
    );
    let target = workspace::root().join("target/debian");
    sh.remove_path(&target)?;
    build(sh, pkgwarden, &version(sh)?, &target, Compression::Small)
}

/// How long a package may take to be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Small,
    Fast,
}

/// Makes a package of this version in the folder; returns its path.
pub(crate) fn build(
    sh: &Shell,
    pkgwarden: &Path,
    version: &str,
    folder: &Path,
    compression: Compression,
) -> anyhow::Result<PathBuf> {
    security::check(sh)?;
    gather(sh, pkgwarden)?;
    sh.create_dir(folder)?;
    let cargo_deb = setup::cargo_deb(sh)?;
    let _root = sh.push_dir(workspace::root());
    let fast: &[&str] = match compression {
        Compression::Small => &[],
        Compression::Fast => &["--fast"],
    };
    cmd!(
        sh,
        "{cargo_deb} --package sensor-user --no-build --no-strip --quiet {fast...}
            --deb-version {version} --output {folder}"
    )
    .quiet()
    .ignore_stdout()
    .run()?;
    let package = folder.join(format!("pkgwarden_{version}_amd64.deb"));
    ensure!(package.exists(), "cargo-deb left no {}", package.display());
    Ok(package)
}

fn gather(sh: &Shell, pkgwarden: &Path) -> anyhow::Result<()> {
    let staging = workspace::root().join("target/package");
    sh.remove_path(&staging)?;
    let (man, completions) = (staging.join("man"), staging.join("completions"));
    sh.create_dir(&man)?;
    sh.create_dir(&completions)?;
    let program = staging.join("pkgwarden");
    cmd!(sh, "strip --strip-unneeded -o {program} {pkgwarden}")
        .quiet()
        .run()
        .context("binutils' strip is needed")?;
    for (what, folder) in [("man", &man), ("completions", &completions)] {
        cmd!(sh, "{program} generate {what} {folder}")
            .quiet()
            // Of a variable that is set to nothing the pages would not speak.
            .env_clear()
            .run()?;
    }
    Ok(())
}

/// The version at the top of Debian's changelog, which must be of the workspace's version.
fn version(sh: &Shell) -> anyhow::Result<String> {
    let changelog = sh.read_file(workspace::root().join("packaging/debian/changelog"))?;
    let version =
        topmost(&changelog).context("packaging/debian/changelog begins with no version")?;
    let ours = concat!(env!("CARGO_PKG_VERSION"), "-");
    ensure!(
        version.starts_with(ours),
        "packaging/debian/changelog is at {version}, the workspace at {}: add an entry",
        env!("CARGO_PKG_VERSION")
    );
    Ok(version.to_owned())
}

/// `pkgwarden (0.1.0-1) unstable; urgency=medium`.
fn topmost(changelog: &str) -> Option<&str> {
    let rest = changelog.strip_prefix("pkgwarden (")?;
    Some(rest.split_once(')')?.0)
}

#[cfg(test)]
mod tests {
    use super::topmost;

    #[test]
    fn the_changelogs_first_line_has_the_version() {
        let changelog = "pkgwarden (1.2.3-4) unstable; urgency=medium\n\npkgwarden (1.0-1)";
        assert_eq!(topmost(changelog), Some("1.2.3-4"));
        assert_eq!(topmost("other (1)"), None);
    }
}
