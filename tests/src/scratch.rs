//! A home, a temporary folder and a project that exist for one test.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::binary::workspace;

/// Below the target folder, not below /tmp: rules look at what happens in /tmp, and an honest
/// project does not lie there.
#[derive(Debug)]
pub struct Scratch {
    root: TempDir,
}

impl Scratch {
    /// Empty folders.
    pub fn new() -> Self {
        let checkout = workspace().canonicalize().unwrap();
        if checkout.starts_with("/tmp") {
            return Self::below(Path::new("/var/tmp"));
        }
        Self::below(&checkout.join("target/tmp"))
    }

    /// In a folder that every user may enter, for commands that run as someone else.
    pub fn for_everyone() -> Self {
        let scratch = Self::below(Path::new("/var/tmp"));
        for folder in [
            scratch.root.path().to_owned(),
            scratch.home(),
            scratch.tmp(),
            scratch.project(),
            scratch.out(),
        ] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        }
        scratch
    }

    fn below(base: &Path) -> Self {
        fs::create_dir_all(base).unwrap();
        let base = base.canonicalize().unwrap();
        let root = tempfile::Builder::new()
            .prefix("live-")
            .tempdir_in(base)
            .unwrap();
        let scratch = Self { root };
        for folder in [
            scratch.home(),
            scratch.tmp(),
            scratch.project(),
            scratch.out(),
        ] {
            fs::create_dir(folder).unwrap();
        }
        scratch
    }

    /// HOME of what runs in it.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Its TMPDIR.
    pub fn tmp(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    /// Its working directory.
    pub fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// Where pkgwarden writes.
    pub fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.project().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The environment of a login, and what the package managers of this machine need in order to
    /// reach their registry; nothing else of the caller's.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut environment: Vec<(OsString, OsString)> = [
            (
                "PATH",
                OsString::from("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ),
            ("HOME", self.home().into_os_string()),
            ("TMPDIR", self.tmp().into_os_string()),
            ("USER", "root".into()),
            ("LOGNAME", "root".into()),
            ("SHELL", "/bin/bash".into()),
            ("LANG", "C.UTF-8".into()),
            ("npm_config_update_notifier", "false".into()),
            ("npm_config_audit", "false".into()),
            ("npm_config_fund", "false".into()),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
        ]
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect();
        for name in [
            "HTTPS_PROXY",
            "https_proxy",
            "NO_PROXY",
            "no_proxy",
            "SSL_CERT_FILE",
            "NODE_EXTRA_CA_CERTS",
            "PIP_CERT",
            "PIP_INDEX_URL",
            "npm_config_registry",
            "npm_config_cafile",
        ] {
            if let Some(value) = std::env::var_os(name) {
                environment.push((name.into(), value));
            }
        }
        environment
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
