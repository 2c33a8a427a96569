//! Packages that pip and other build frontends build from source.
//!
//! A build runs in a python of its own: `…/_in_process.py <hook> …` (PEP 517), uv's
//! `-c "…import x as backend…"`, formerly `-c "…<pip-setuptools-caller>…" <command>`, or
//! `setup.py <command>` by hand. Its working directory
//! names what was asked for when it came from an index; name and version otherwise come from the
//! manifest, which the edge reads when this process begins.

use std::rc::Rc;

use crate::alert::schema::PackageSource;
use crate::detect::Confidence;
use crate::lineage::{Image, Interpreter, Manager};

use super::folder::{holds, pip_build};
use super::{Attribution, Ecosystem};

/// The package whose build this program is.
pub(super) fn build(image: &Image, project: Option<&str>) -> Option<Attribution> {
    if image.interpreter != Some(Interpreter::Python) {
        return None;
    }
    let lifecycle = hook(image)
        .or_else(|| uv_hook(image))
        .or_else(|| setup_command(image))?;
    let mut found = Attribution::new(Ecosystem::Pypi);
    found.lifecycle = Some(lifecycle);
    match pip_build(&image.directory) {
        Some((path, name)) => {
            found.path = Some(path.into());
            found.name = name.map(Into::into);
            if name.is_some() {
                found.confidence = Confidence::High;
            } else {
                found.source = PackageSource::Metadata;
            }
        }
        None => {
            found.path = Some(Rc::clone(&image.directory));
            found.source = PackageSource::Metadata;
            found.is_root = image.directory.len() > 1
                && project.is_some_and(|project| holds(&image.directory, project));
        }
    }
    Some(found)
}

/// `build_wheel`, `get_requires_for_build_wheel`, …
fn hook(image: &Image) -> Option<Rc<str>> {
    let at = image
        .args
        .iter()
        .position(|arg| arg.basename() == b"_in_process.py")?;
    // It is the script: only interpreter options stand before it.
    let options = image.args[..at].iter().skip(1);
    if !options
        .into_iter()
        .all(|arg| arg.as_bytes().starts_with(b"-"))
    {
        return None;
    }
    Some(image.args.get(at + 1)?.to_str_lossy().into())
}

/// The hook that uv's program calls: it asks the backend whether it has the hook, or calls
/// `backend.build_wheel(…)`.
fn uv_hook(image: &Image) -> Option<Rc<str>> {
    let at = image.args.iter().position(|arg| arg.as_bytes() == b"-c")?;
    let code = image.args.get(at + 1)?.to_str_lossy();
    let (_, calls) = code.split_once(" as backend")?;
    let named = ["getattr(backend, \"", "backend."]
        .iter()
        .filter_map(|before| Some(calls.split_once(before)?.1))
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter_map(|mut words| words.next());
    let mut hooks = named.filter(|name| name.contains("build_"));
    Some(hooks.next()?.into())
}

/// The first command given to `setup.py`.
fn setup_command(image: &Image) -> Option<Rc<str>> {
    let invocation = image.invocation.as_ref()?;
    if invocation.manager != Manager::Setuptools || !invocation.installs {
        return None;
    }
    let script = image.args.iter().skip(1).position(|arg| {
        let bytes = arg.as_bytes();
        arg.basename() == b"setup.py" || bytes.windows(10).any(|w| w == b"setuptools")
    })?;
    let command = image
        .args
        .iter()
        .skip(script + 2)
        .find(|arg| !arg.as_bytes().starts_with(b"-"))?;
    Some(command.to_str_lossy().into())
}
