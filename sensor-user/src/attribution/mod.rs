//! Whose code runs: the package, its lifecycle step, and the CI job around it.
//!
//! Order of trust: the folder that the code runs in, as the kernel knows it; then the address the
//! manager fetched from; then what the package says of itself. Where they disagree the name is the
//! path's and the claim is kept beside it. Decided at the first process of a package's script and
//! frozen: nothing below it, nor any variable it sets, makes its acts another package's.

mod ci;
mod folder;
mod import;
mod npm;
mod own;
mod pip;
mod purl;
mod resembles;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use crate::alert::schema::{Package, PackageSource, RegistrySource};
use crate::detect::Confidence;
use crate::event::{Exec, FetchedBy, Manifest, Text};
use crate::lineage::{Context, Image, Manager};

pub use ci::CiStep;
pub(crate) use folder::{holds as folder_holds, node_package, site_entry};
pub(crate) use import::is_hook;
pub(crate) use own::own_file;

/// Where packages come from, by the type of their package URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "package URL types")]
pub enum Ecosystem {
    Npm,
    Pypi,
}

impl Ecosystem {
    /// As in a package URL.
    pub fn name(self) -> &'static str {
        match self {
            Ecosystem::Npm => "npm",
            Ecosystem::Pypi => "pypi",
        }
    }

    fn same(self, a: &str, b: &str) -> bool {
        match self {
            Ecosystem::Npm => a == b,
            Ecosystem::Pypi => purl::normalised(a) == purl::normalised(b),
        }
    }
}

/// A package and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in alert::schema::Package")]
pub struct Attribution {
    pub ecosystem: Ecosystem,
    /// Absent while nothing names it: a root project without a manifest.
    pub name: Option<Rc<str>>,
    pub version: Option<Rc<str>>,
    pub path: Option<Rc<str>>,
    pub lifecycle: Option<Rc<str>>,
    pub script: Option<Rc<str>>,
    pub checksum: Option<Rc<str>>,
    pub source: PackageSource,
    pub confidence: Confidence,
    pub claimed_name: Option<Rc<str>>,
    /// Where it was fetched from, and who says so.
    pub registry: Option<(Rc<str>, RegistrySource)>,
    /// The manager says that it was fetched from nowhere.
    pub is_local: bool,
    /// It is the project itself that is being installed or run, not a dependency.
    pub is_root: bool,
    /// Told only by what a process read: the newest reading wins.
    pub imported: bool,
}

impl Attribution {
    fn new(ecosystem: Ecosystem) -> Self {
        Self {
            ecosystem,
            name: None,
            version: None,
            path: None,
            lifecycle: None,
            script: None,
            checksum: None,
            source: PackageSource::Path,
            confidence: Confidence::Medium,
            claimed_name: None,
            registry: None,
            is_local: false,
            is_root: false,
            imported: false,
        }
    }

    /// A dependency's own script: whatever it starts stays its.
    fn is_final(&self) -> bool {
        !self.is_root && !self.imported
    }

    /// Takes what a manifest says, where nothing better is known. Whether that changed anything.
    pub(crate) fn read(&mut self, manifest: &Manifest) -> bool {
        let directory = manifest.directory.to_str_lossy();
        if self
            .path
            .as_ref()
            .is_some_and(|path| !folder::holds(path, &directory))
        {
            return false;
        }
        let before = self.clone();
        let is_hook = self.imported && self.path.as_deref().is_some_and(import::is_hook);
        if let Some(name) = &manifest.name {
            match &self.name {
                Some(known) if is_hook && **known != **name => {
                    self.name = Some(name.as_str().into());
                    self.source = PackageSource::Metadata;
                }
                None => {
                    self.name = Some(name.as_str().into());
                    self.source = PackageSource::Metadata;
                }
                Some(known) if self.claimed_name.is_none() && !self.ecosystem.same(known, name) => {
                    self.claimed_name = Some(name.as_str().into());
                    self.confidence = Confidence::Medium;
                }
                Some(_) => {}
            }
        }
        if self.version.is_none() {
            self.version = manifest.version.as_deref().map(Into::into);
        }
        if let Some(fetched) = &manifest.fetched
            && self.registry.is_none()
            && !self.is_root
        {
            let source = match fetched.told_by {
                FetchedBy::Lock => RegistrySource::Lock,
                FetchedBy::Metadata => RegistrySource::Metadata,
            };
            self.registry = Some((fetched.host.as_str().into(), source));
        }
        *self != before
    }

    /// Its manager had it from an index: neither a folder of the user's nor the project itself.
    fn is_from_an_index(&self) -> bool {
        self.is_final() && self.source == PackageSource::Path && self.confidence == Confidence::High
    }

    /// Its script begins. The manager has spoken to this host and to no other, so that is where it is
    /// from if nothing better tells.
    pub(crate) fn fetched_from(&mut self, host: Option<&Rc<str>>) {
        if self.registry.is_none() && !self.is_local && self.is_from_an_index() {
            self.registry = host.map(|host| (Rc::clone(host), RegistrySource::Connection));
        }
    }

    /// The popular package that its name, or what it calls itself, may be mistaken for.
    pub fn resembles(&self) -> Option<&'static str> {
        let names = [&self.name, &self.claimed_name];
        let mut names = names.into_iter().flatten();
        names.find_map(|name| resembles::popular(self.ecosystem, name))
    }

    /// For an alert; needs a name.
    pub fn package(&self) -> Option<Package> {
        let name = self.name.as_deref()?;
        let text = |text: &Option<Rc<str>>| text.as_deref().map(str::to_owned);
        Some(Package {
            kind: self.ecosystem.name().to_owned(),
            name: name.to_owned(),
            version: text(&self.version),
            purl: purl::purl(self.ecosystem, name, self.version.as_deref()),
            path: text(&self.path),
            lifecycle: text(&self.lifecycle),
            script: text(&self.script),
            checksum: text(&self.checksum),
            source: self.source,
            confidence: self.confidence,
            claimed_name: text(&self.claimed_name),
            registry: self.registry.as_ref().map(|(host, _)| host.to_string()),
            registry_source: self.registry.as_ref().map(|&(_, source)| source),
            resembles: self.resembles().map(str::to_owned),
        })
    }
}

/// Adds what starting a program tells: `before` is what its process ran until then (as a fork copy:
/// what its parent ran).
pub(crate) fn at_exec(
    context: &mut Context,
    before: Option<&Rc<Image>>,
    image: &Image,
    exec: &Exec,
) {
    // A package's script may set any variable for its children: the job is told before one runs.
    if context.ci.is_none() && context.package.is_none() {
        context.ci = CiStep::from_environment(&exec.environment).map(Rc::new);
    }
    let root = match context.package.as_ref().map(|package| package.borrow()) {
        Some(package) if package.is_final() => return,
        Some(package) => package.is_root,
        None => false,
    };
    let project = context.project.as_deref();
    let parent = before.and_then(|before| before.invocation.as_ref());
    let found = match parent.map(|parent| parent.manager) {
        // npm runs a script through a shell and nothing else; what else it starts (git) may carry
        // the variables of a script that npm itself was started from.
        Some(Manager::Npm) if !image.args.iter().any(|arg| arg.as_bytes() == b"-c") => None,
        Some(manager) if manager.runs_node_packages() => {
            npm::lifecycle(&image.directory, project, &exec.environment)
        }
        _ => None,
    };
    let found = found.or_else(|| {
        context
            .install
            .is_some()
            .then(|| pip::build(image, project))
            .flatten()
    });
    // Below a root project's script a dependency's script is still the dependency's.
    if let Some(found) = found.filter(|found| !(root && found.is_root)) {
        context.package = Some(Rc::new(RefCell::new(found)));
    }
}

/// What reading a file from a package's folder tells, where nothing better is known.
pub(crate) fn at_import(context: &Context, path: &Text) -> Option<Context> {
    let found = import::module(&path.to_str_lossy())?;
    if let Some(known) = &context.package {
        let known = known.borrow();
        if !known.imported || *known == found {
            return None;
        }
    }
    Some(Context {
        package: Some(Rc::new(RefCell::new(found))),
        ..context.clone()
    })
}
