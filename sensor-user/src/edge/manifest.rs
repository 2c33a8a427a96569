//! What a package says of itself, read when its code is about to run.
//!
//! A manager's environment names the package too, but only npm's kind of manager sets one; pip
//! tells nothing, and its build folder's manifest is all there is. Which files may be looked at is
//! fixed here; the folder is the process's working folder, from the kernel.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::Deserialize;

use super::container::cgroup_of;
use super::process::{Held, path, read_regular, resolve};
use crate::event::{Actor, Body, Event, Exec, Manifest, ProcessKey, Text};

/// No honest manifest is near it.
const SIZE_LIMIT: u64 = 1 << 20;
/// npm stops at 214; PyPI's longest are shorter.
const NAME_LIMIT: usize = 256;
/// How many names of a folder are looked at for a build's `*.egg-info`.
const FOLDER_LIMIT: usize = 512;
/// How many processes are remembered; beyond, manifests are read again.
const SEEN_LIMIT: usize = 65_536;

/// Which manager's manifests to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Npm,
    Python,
}

/// One reading to be done.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    kind: Kind,
    about: Actor,
    parent_pid: u32,
    directory: Text,
}

/// For which processes the folder was read already.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<u32, Text>);

impl Seen {
    /// The reading that an event calls for. A child that goes on in its parent's folder calls for
    /// none: what was said of the parent holds for it.
    pub(super) fn wanted(&mut self, event: &Event) -> Option<Wanted> {
        match &event.body {
            Body::Exit { actor, .. } => {
                self.0.remove(&actor.process.pid);
                None
            }
            Body::Exec { actor, exec } => {
                let kind = kind(exec)?;
                let directory = &exec.working_directory;
                let pid = actor.process.pid;
                let known = [pid, exec.parent_pid]
                    .iter()
                    .any(|pid| self.0.get(pid) == Some(directory));
                if self.0.len() >= SEEN_LIMIT {
                    self.0.clear();
                }
                self.0.insert(pid, directory.clone());
                (!known && !directory.is_empty()).then(|| Wanted {
                    kind,
                    about: *actor,
                    parent_pid: exec.parent_pid,
                    directory: directory.clone(),
                })
            }
            _ => None,
        }
    }
}

fn kind(exec: &Exec) -> Option<Kind> {
    let set = |name: &str| exec.environment.contains_key(name);
    if set("npm_lifecycle_event") {
        return Some(Kind::Npm);
    }
    let image = exec.executable.path.basename();
    if !(image.starts_with(b"python") || image.starts_with(b"pypy")) {
        return None;
    }
    let building = [
        "PEP517_BUILD_BACKEND",
        "_PYPROJECT_HOOKS_BUILD_BACKEND",
        "PIP_BUILD_TRACKER",
        "UV_INTERNAL__BUILD_DIR",
    ]
    .into_iter()
    .any(set)
        || exec
            .args
            .iter()
            .skip(1)
            .take(4)
            .any(|arg| matches!(arg.basename(), b"setup.py" | b"_in_process.py"));
    building.then_some(Kind::Python)
}

impl Wanted {
    /// Whom it is about.
    pub(super) fn about(&self) -> ProcessKey {
        self.about.process
    }

    /// Reads it. May block: for the bounded pool only.
    pub(super) fn read(&self) -> Option<Manifest> {
        let root = self.root()?;
        let directory = path(self.directory.as_bytes());
        match self.kind {
            Kind::Npm => self.try_file(&root, &directory.join("package.json"), package_json),
            Kind::Python => self.read_python(&root, directory),
        }
    }

    /// The root folder the process has, or had: a script may be over before it is looked at, and
    /// then its parent's will do if that is in the same container.
    fn root(&self) -> Option<std::os::fd::OwnedFd> {
        if let Some(held) = Held::of(self.about.process)
            && let Ok(root) = held.root()
            && held.is_the_same()
        {
            return Some(root);
        }
        let parent = Held::of_pid(self.parent_pid)?;
        let same_container = self.about.cgroup != 0
            && parent.is_older_than(self.about.process.start)
            && cgroup_of(&parent) == Some(self.about.cgroup);
        same_container.then(|| parent.root().ok()).flatten()
    }

    fn read_python(&self, root: &std::os::fd::OwnedFd, directory: &Path) -> Option<Manifest> {
        type Parse = fn(&[u8]) -> Option<Said>;
        let fixed: [(&str, Parse); 3] = [
            ("PKG-INFO", headers),
            ("pyproject.toml", pyproject),
            ("setup.cfg", setup_cfg),
        ];
        fixed
            .into_iter()
            .find_map(|(name, parse)| self.try_file(root, &directory.join(name), parse))
            .or_else(|| {
                [directory.to_owned(), directory.join("src")]
                    .iter()
                    .flat_map(|folder| egg_infos(root, folder))
                    .find_map(|folder| self.try_file(root, &folder.join("PKG-INFO"), headers))
            })
    }

    fn try_file(
        &self,
        root: &std::os::fd::OwnedFd,
        file: &Path,
        parse: fn(&[u8]) -> Option<Said>,
    ) -> Option<Manifest> {
        let said = parse(&read_regular(root, file, SIZE_LIMIT)?)?;
        Some(Manifest {
            directory: self.directory.clone(),
            file: file.file_name()?.to_str()?.to_owned(),
            name: Some(said.name),
            version: said.version,
        })
    }
}

/// What setuptools leaves beside the sources once it has been asked anything.
fn egg_infos(root: &std::os::fd::OwnedFd, folder: &Path) -> Vec<PathBuf> {
    use std::os::fd::AsRawFd;
    let Ok(handle) = resolve(root, folder, OFlag::O_DIRECTORY) else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir(format!("/proc/self/fd/{}", handle.as_raw_fd())) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .take(FOLDER_LIMIT)
        .filter_map(Result::ok)
        .filter(|entry| Path::new(&entry.file_name()).extension() == Some("egg-info".as_ref()))
        .map(|entry| folder.join(entry.file_name()))
        .collect();
    found.sort();
    found
}

#[derive(Debug, PartialEq, Eq)]
struct Said {
    name: String,
    version: Option<String>,
}

impl Said {
    fn new(name: Option<&str>, version: Option<&str>) -> Option<Self> {
        let sane = |text: &str| {
            let text = text.trim();
            (!text.is_empty() && text.len() <= NAME_LIMIT && !text.contains(char::is_control))
                .then(|| text.to_owned())
        };
        Some(Self {
            name: sane(name?)?,
            version: version.and_then(sane),
        })
    }
}

fn package_json(bytes: &[u8]) -> Option<Said> {
    #[derive(Deserialize)]
    struct Package {
        name: Option<String>,
        // `version` need not be a string in a package that is never published.
        version: Option<serde_json::Value>,
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let package: Package = serde_json::from_slice(bytes).ok()?;
    let version = package.version.as_ref().and_then(serde_json::Value::as_str);
    Said::new(package.name.as_deref(), version)
}

/// The e-mail-like headers of core metadata, up to the first empty line.
fn headers(bytes: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(bytes);
    let value = |wanted: &str| {
        text.lines()
            .take_while(|line| !line.trim().is_empty())
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    Said::new(value("name"), value("version"))
}

fn pyproject(bytes: &[u8]) -> Option<Said> {
    let table: toml::Table = toml::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    let project = table.get("project");
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    [project, poetry]
        .into_iter()
        .flatten()
        .find_map(|section| Said::new(string(section, "name"), string(section, "version")))
}

fn string<'v>(section: &'v toml::Value, key: &str) -> Option<&'v str> {
    section.get(key)?.as_str()
}

fn setup_cfg(bytes: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(bytes);
    let metadata: Vec<(&str, &str)> = text
        .lines()
        .skip_while(|line| line.trim() != "[metadata]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .collect();
    let value = |wanted: &str| {
        metadata
            .iter()
            .find(|(key, _)| key.trim() == wanted)
            .map(|&(_, value)| value)
    };
    Said::new(value("name"), value("version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, version: Option<&str>) -> Option<Said> {
        Some(Said {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }

    #[test]
    fn each_kind_of_manifest_gives_name_and_version() {
        assert_eq!(
            package_json(br#"{"name":"@a/b","version":"1.2.3","scripts":{}}"#),
            said("@a/b", Some("1.2.3"))
        );
        assert_eq!(
            headers(b"Metadata-Version: 2.1\nName: left-pad\nVersion: 0.1\n\nName: other\n"),
            said("left-pad", Some("0.1"))
        );
        assert_eq!(
            pyproject(b"[build-system]\nrequires=[]\n[project]\nname='p'\nversion='2'\n"),
            said("p", Some("2"))
        );
        assert_eq!(
            setup_cfg(b"[options]\nname = no\n[metadata]\nname = yes\nversion = 3\n[x]\n"),
            said("yes", Some("3"))
        );
    }

    #[test]
    fn a_manifest_that_says_nothing_usable_gives_nothing() {
        assert_eq!(package_json(b"{\"version\":\"1\"}"), None);
        assert_eq!(package_json(b"{\"name\":\"a\\u001b[31m\"}"), None);
        assert_eq!(package_json("[".repeat(100_000).as_bytes()), None);
        let long = format!("{{\"name\":\"{}\"}}", "a".repeat(NAME_LIMIT + 1));
        assert_eq!(package_json(long.as_bytes()), None);
        assert_eq!(pyproject(b"[build-system]\nrequires=[]\n"), None);
        assert_eq!(
            package_json(b"{\"name\":\"a\",\"version\":1}"),
            said("a", None)
        );
    }

    fn exec_event(pid: u32, parent_pid: u32, directory: &str) -> Event {
        let process = ProcessKey { pid, start: 1 };
        let mut exec = Exec {
            working_directory: directory.into(),
            parent_pid,
            ..Exec::default()
        };
        exec.environment
            .insert("npm_lifecycle_event".to_owned(), "postinstall".into());
        Event {
            time: 1,
            cpu: 0,
            sequence: 1,
            body: Body::Exec {
                actor: Actor {
                    process,
                    tid: pid,
                    uid: 0,
                    cgroup: 0,
                    root: process,
                },
                exec: Box::new(exec),
            },
        }
    }

    #[test]
    fn a_folder_is_read_once_for_a_process_and_its_children() {
        let mut seen = Seen::default();
        assert!(
            seen.wanted(&exec_event(10, 1, "/p/node_modules/a"))
                .is_some()
        );
        assert!(
            seen.wanted(&exec_event(10, 1, "/p/node_modules/a"))
                .is_none()
        );
        assert!(
            seen.wanted(&exec_event(11, 10, "/p/node_modules/a"))
                .is_none()
        );
        assert!(
            seen.wanted(&exec_event(12, 11, "/p/node_modules/b"))
                .is_some()
        );
    }

    #[test]
    fn a_build_without_any_fixed_manifest_is_known_by_its_egg_info() {
        let folder = tempfile::tempdir().unwrap();
        let egg = folder.path().join("src/evil.egg-info");
        fs::create_dir_all(&egg).unwrap();
        fs::write(egg.join("PKG-INFO"), "Name: evil\nVersion: 9\n\n").unwrap();
        let me = procfs::process::Process::myself().unwrap().stat().unwrap();
        let process = ProcessKey {
            pid: std::process::id(),
            start: me.starttime * (1_000_000_000 / procfs::ticks_per_second()),
        };
        let wanted = Wanted {
            kind: Kind::Python,
            about: Actor {
                process,
                tid: 0,
                uid: 0,
                cgroup: 0,
                root: process,
            },
            parent_pid: 0,
            directory: folder.path().to_str().unwrap().into(),
        };
        let manifest = wanted.read().unwrap();
        assert_eq!(manifest.name.as_deref(), Some("evil"));
        assert_eq!(manifest.version.as_deref(), Some("9"));
    }
}
