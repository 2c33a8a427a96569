//! A folder that a test may do with what it likes, gone afterwards.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::edge::boottime;

/// Holds a HOME, a project and a folder for temporary files.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A new one, which only we can enter.
    pub(super) fn new() -> io::Result<Self> {
        let name = format!("pkgwarden-selftest-{}-{}", std::process::id(), boottime());
        let path = std::env::temp_dir().join(name);
        // Fails if it exists: nobody prepared it for us.
        DirBuilder::new().mode(0o700).create(&path)?;
        let scratch = Self(path);
        for folder in [scratch.home(), scratch.project(), scratch.tmp()] {
            fs::create_dir(folder)?;
        }
        Ok(scratch)
    }

    pub(super) fn home(&self) -> PathBuf {
        self.0.join("home")
    }

    pub(super) fn project(&self) -> PathBuf {
        self.0.join("project")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.0.join("tmp")
    }

    /// Writes a file below the folder, with the folders it lies in.
    pub(super) fn write(&self, path: impl AsRef<Path>, text: &str) -> io::Result<()> {
        let path = self.0.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)
    }

    /// A clean environment, so that neither the caller's settings nor its credentials take part.
    pub(super) fn environment(&self, more: &[(&str, OsString)]) -> Vec<(OsString, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let fixed: [(&str, OsString); 9] = [
            ("PATH", path),
            ("HOME", self.home().into()),
            ("TMPDIR", self.tmp().into()),
            ("LANG", "C.UTF-8".into()),
            ("npm_config_offline", "true".into()),
            ("npm_config_audit", "false".into()),
            ("npm_config_fund", "false".into()),
            ("npm_config_update_notifier", "false".into()),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
        ];
        fixed
            .iter()
            .chain(more)
            .map(|(name, value)| (OsString::from(name), value.clone()))
            .collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!(
                "pkgwarden: {} could not be removed: {error}; remove it by hand",
                self.0.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_private_and_leaves_nothing_behind() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = Scratch::new().unwrap();
        let path = scratch.0.clone();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        scratch.write("home/.config/x", "y").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
