//! npm packages and the other managers' that run npm's lifecycle scripts.
//!
//! npm starts `sh -c "<script>"` with the package's folder as working directory and describes the
//! package in the environment. Those variables are npm's at that moment; what they say of name and
//! version is the package's own manifest.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::alert::schema::{PackageSource, RegistrySource};
use crate::detect::Confidence;
use crate::event::Text;
use crate::names;

use super::folder::{holds, node_package, pnpm_version};
use super::{Attribution, Ecosystem};

/// The package whose lifecycle script a manager's child begins to run.
pub(super) fn lifecycle(
    directory: &Rc<str>,
    project: Option<&str>,
    environment: &BTreeMap<String, Text>,
) -> Option<Attribution> {
    let variable = |name: &str| -> Option<Rc<str>> {
        let value = environment.get(name)?.to_str_lossy();
        // npm 11 writes `null` for a linked folder's address and checksum.
        (!value.is_empty() && value != "null").then(|| value.into())
    };
    let mut found = Attribution::new(Ecosystem::Npm);
    found.lifecycle = Some(variable("npm_lifecycle_event")?);
    found.script = variable("npm_lifecycle_script");
    found.checksum = variable("npm_package_integrity");

    let claimed = variable("npm_package_name");
    let resolved = variable("npm_package_resolved");
    let host = resolved.as_deref().and_then(names::origin);
    found.is_local = host.is_none() && environment.contains_key("npm_package_resolved");
    found.registry = host.map(|host| (host, RegistrySource::Manager));
    let archive = resolved.as_deref().and_then(archive);
    match (node_package(directory), archive) {
        (Some((path, name)), _) => {
            found.path = Some(path.into());
            found.name = Some(name.into());
            found.version = pnpm_version(path, name).map(Into::into);
            found.source = PackageSource::Path;
            found.confidence = Confidence::High;
        }
        (None, Some((name, _))) => {
            found.path = Some(Rc::clone(directory));
            found.name = Some(name.into());
            found.source = PackageSource::Resolved;
        }
        // A linked folder, a workspace, or the root project: only the manifest names it.
        (None, None) => {
            found.path = Some(Rc::clone(directory));
            found.name = claimed.clone();
            found.source = PackageSource::Environment;
            found.is_root = is_root(directory, project, environment);
        }
    }
    if claimed != found.name {
        found.claimed_name = claimed;
        if found.claimed_name.is_some() {
            found.confidence = found.confidence.min(Confidence::Medium);
        }
    }
    found.version = found
        .version
        .or_else(|| archive.map(|(_, version)| version.into()))
        .or_else(|| variable("npm_package_version"));
    Some(found)
}

/// The root project is what the outermost command was started in or for. A package that a manager
/// unpacked elsewhere and prepares with a manager of its own (a git dependency) is none, though that
/// inner manager takes it for its root.
fn is_root(directory: &str, project: Option<&str>, environment: &BTreeMap<String, Text>) -> bool {
    let prefix = environment
        .get("npm_config_local_prefix")
        .map(Text::to_str_lossy);
    // npm goes up from where it is started to the first package.json.
    project.is_some_and(|project| directory.len() > 1 && holds(directory, project))
        && prefix.is_none_or(|prefix| prefix == directory)
}

/// Name and version from the address of an archive: `…/@scope/name/-/name-1.0.0.tgz`.
fn archive(resolved: &str) -> Option<(&str, &str)> {
    let resolved = resolved.split(['#', '?']).next()?;
    let (address, file) = resolved.rsplit_once("/-/")?;
    let mut parts = address.rsplitn(3, '/');
    let base = parts.next()?;
    let above = parts.next().unwrap_or_default();
    let name = if above.starts_with('@') {
        &address[address.len() - above.len() - 1 - base.len()..]
    } else {
        base
    };
    let version = file
        .strip_prefix(base)?
        .strip_prefix('-')?
        .strip_suffix(".tgz")?;
    (!base.is_empty() && !version.is_empty()).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::archive;

    #[test]
    fn an_archive_names_its_package_and_version() {
        fn of(path: &str) -> Option<(String, String)> {
            let address = format!("https://registry.invalid/{path}");
            archive(&address).map(|(name, version)| (name.to_owned(), version.to_owned()))
        }
        fn pair(name: &str, version: &str) -> Option<(String, String)> {
            Some((name.to_owned(), version.to_owned()))
        }
        assert_eq!(
            of("esbuild/-/esbuild-0.25.0.tgz"),
            pair("esbuild", "0.25.0")
        );
        assert_eq!(
            of("@a/b-c/-/b-c-1.0.0-rc.1.tgz"),
            pair("@a/b-c", "1.0.0-rc.1")
        );
        assert_eq!(of("a/-/b-1.0.0.tgz"), None);
        assert_eq!(archive("file:../a"), None);
        assert_eq!(archive("git+ssh://git@host/a/b.git#0f1e"), None);
        assert_eq!(archive("/-/"), None);
    }
}
