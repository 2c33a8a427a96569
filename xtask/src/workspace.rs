//! Where things are: the checkout, and the cache that outlives it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The checkout's top folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// What is slow to make and the same for every checkout: `$XDG_CACHE_HOME/pkgwarden`.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    // The XDG base directory specification: a relative value is to be ignored.
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set: no place for the cache")?;
    Ok(base.join("pkgwarden"))
}
