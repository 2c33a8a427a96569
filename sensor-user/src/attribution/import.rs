//! Library code at run time: the newest package folder that a process read from.
//!
//! A weak sign (a process reads many packages, and the last one need not be the one that acts), so
//! its confidence is low.

use std::rc::Rc;

use crate::detect::Confidence;

use super::folder::{node_package, pnpm_version, site_entry};
use super::{Attribution, Ecosystem};

/// What setuptools makes every python read as it starts, whatever it then runs. Only the attribution
/// is left open by it, never an alert.
const AT_EVERY_START: [&str; 2] = ["_distutils_hack", "distutils-precedence.pth"];

/// A start-up file, which every python reads; its name says nothing of whose it is.
pub(crate) fn is_hook(path: &str) -> bool {
    path.ends_with(".pth")
}

/// The package a module belongs to.
pub(super) fn module(path: &str) -> Option<Attribution> {
    let node = node_package(path).map(|(folder, name)| {
        let version = pnpm_version(path, name);
        (Ecosystem::Npm, folder, name, version)
    });
    let (ecosystem, folder, name, version) = node.or_else(|| {
        let (folder, entry) = site_entry(path)?;
        if AT_EVERY_START.contains(&entry) {
            return None;
        }
        let (name, version) = python_name(entry)?;
        Some((Ecosystem::Pypi, folder, name, version))
    })?;
    let mut found = Attribution::new(ecosystem);
    found.name = Some(name.into());
    found.version = version.map(Into::into);
    found.path = Some(folder.into());
    found.lifecycle = Some(Rc::from("import"));
    found.confidence = Confidence::Low;
    found.imported = true;
    Some(found)
}

/// `name`, `name.py`, `name.cpython-311-x86_64-linux-gnu.so`, `name-1.0.dist-info`, `name.pth`.
fn python_name(entry: &str) -> Option<(&str, Option<&str>)> {
    for suffix in [".dist-info", ".egg-info", ".data"] {
        if let Some(stem) = entry.strip_suffix(suffix) {
            let (name, version) = stem
                .split_once('-')
                .map_or((stem, None), |(name, version)| {
                    // An egg adds `-py3.11`.
                    (name, version.split('-').next())
                });
            return (!name.is_empty()).then_some((name, version));
        }
    }
    let name = entry.split('.').next()?;
    (!name.is_empty()).then_some((name, None))
}
