//! Kernels to boot, from Debian's archive into the cache.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use xshell::{Shell, cmd};

use super::apt;
use crate::workspace;

/// A kernel series.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Line {
    #[value(name = "6.1")]
    V6_1,
    #[value(name = "6.12")]
    V6_12,
}

impl Line {
    pub(crate) const ALL: [Line; 2] = [Line::V6_1, Line::V6_12];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Line::V6_1 => "6.1",
            Line::V6_12 => "6.12",
        }
    }

    /// The package that depends on the newest of the series. Both are in plain Debian 12, the
    /// second one among the security updates.
    fn metapackage(self) -> &'static str {
        match self {
            Line::V6_1 => "linux-image-cloud-amd64",
            Line::V6_12 => "linux-image-6.12-cloud-amd64",
        }
    }
}

/// One version of a kernel's package.
struct Package {
    name: String,
    version: String,
}

/// The kernel image's path; downloads it when the cache does not hold the newest.
pub(super) fn fetch(sh: &Shell, line: Line) -> anyhow::Result<PathBuf> {
    let cache = workspace::cache()?.join("vm");
    if let Ok(package) = resolve(sh, line) {
        let image = image(&cache, &package);
        if image.exists() || download(sh, &package, &image).is_ok() {
            return Ok(image);
        }
    }
    // The archive keeps only the newest: an old list names packages that are gone.
    apt::update(sh)?;
    let package = resolve(sh, line)?;
    let image = image(&cache, &package);
    download(sh, &package, &image)?;
    Ok(image)
}

fn image(cache: &Path, package: &Package) -> PathBuf {
    cache
        .join(format!("{}_{}", package.name, package.version))
        .join("vmlinuz")
}

/// What the metapackage stands for today.
fn resolve(sh: &Shell, line: Line) -> anyhow::Result<Package> {
    let metapackage = line.metapackage();
    let record = cmd!(sh, "apt-cache show --no-all-versions {metapackage}")
        .quiet()
        .ignore_stderr()
        .read()
        .with_context(|| format!("apt knows no {metapackage}"))?;
    let package = dependency(&record)
        .with_context(|| format!("{metapackage} names no package and version"))?;
    let series = format!("linux-image-{}.", line.name());
    ensure!(
        package.name.starts_with(&series),
        "{metapackage} is {} on this distribution, not {}: a Debian 12 is needed",
        package.name,
        line.name()
    );
    Ok(package)
}

/// `Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)`.
fn dependency(record: &str) -> Option<Package> {
    let depends = record
        .lines()
        .find_map(|line| line.strip_prefix("Depends: "))?;
    let (name, version) = depends.split(',').next()?.split_once(" (= ")?;
    Some(Package {
        name: name.to_owned(),
        version: version.strip_suffix(')')?.to_owned(),
    })
}

fn download(sh: &Shell, package: &Package, image: &Path) -> anyhow::Result<()> {
    let folder = image.parent().context("the image has a folder")?;
    let mut work = folder.as_os_str().to_owned();
    work.push(".part");
    let work = PathBuf::from(work);
    let wanted = format!("{}={}", package.name, package.version);
    let deb = apt::download(sh, &work, &[wanted])?
        .pop()
        .context("apt-get left no package")?;
    // The modules, a hundred times the image's size, stay in the package.
    let mut unpack = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(&deb)
        .stdout(Stdio::piped())
        .spawn()
        .context("dpkg-deb did not start")?;
    let archive = unpack.stdout.take().context("dpkg-deb has no stdout")?;
    let boot = format!(
        "./boot/vmlinuz-{}",
        package.name.trim_start_matches("linux-image-")
    );
    let status = Command::new("tar")
        .args(["--extract", "--strip-components=2", "--directory"])
        .arg(&work)
        .arg(&boot)
        .stdin(archive)
        .status()
        .context("tar did not start")?;
    unpack.wait()?;
    if !status.success() {
        bail!("{} holds no {boot}", deb.display());
    }
    sh.remove_path(&deb)?;
    let unpacked = work.join(boot.trim_start_matches("./boot/"));
    std::fs::rename(unpacked, work.join("vmlinuz"))?;
    sh.remove_path(folder)?;
    std::fs::rename(&work, folder)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::dependency;

    #[test]
    fn a_metapackage_names_its_kernel_exactly() {
        let record = "Package: linux-image-cloud-amd64\n\
                      Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)\nSize: 1\n";
        let package = dependency(record).unwrap();
        assert_eq!(package.name, "linux-image-6.1.0-56-cloud-amd64");
        assert_eq!(package.version, "6.1.192-2");
        assert!(dependency("Depends: a | b").is_none());
    }
}
