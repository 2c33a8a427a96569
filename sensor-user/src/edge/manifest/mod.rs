//! What a package says of itself, read when its code is about to run.
//!
//! A manager's environment names the package too, but only npm's kind of manager sets one; pip
//! tells nothing, and its build folder's manifest is all there is. A library that is imported is
//! named by its folder, its version stands in a file beside it. Which files may be looked at is fixed
//! here; the folder is the process's working folder or the library's, from the kernel.

mod fetched;
mod import;
mod said;

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::path::Path;

use super::container::cgroup_of;
use super::process::{Held, Views, path, read_regular};
use said::{Said, headers, package_json, pyproject, setup_cfg, setup_py};

use crate::event::{Actor, Body, Event, Exec, Manifest, ProcessKey, Text};
use crate::lineage::is_manager;

/// No honest manifest is near it.
const SIZE_LIMIT: u64 = 1 << 20;
/// How many names of a folder are looked at for a build's `*.egg-info`.
const FOLDER_LIMIT: usize = 512;
/// How many processes are remembered; beyond, manifests are read again.
const SEEN_LIMIT: usize = 65_536;
/// How often a library is looked at in vain.
const TRIES: u8 = 3;

/// Which manager's manifests to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A lifecycle script in its package's folder.
    Npm,
    /// A build in its source folder.
    Python,
    /// A library of node.
    Module,
    /// A library of python.
    Site,
}

/// One reading to be done.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    kind: Kind,
    about: Actor,
    /// Whose root folder will do when the process is over.
    kin: u32,
    directory: Text,
}

/// What to do about an event.
#[derive(Debug)]
pub(super) enum Asked {
    Read(Wanted),
    /// It was read before, for another process.
    Known(ProcessKey, Manifest),
}

/// A library that was looked at.
#[derive(Debug, Default)]
struct Library {
    manifest: Option<Manifest>,
    tries: u8,
}

/// For which processes the folder was read already.
#[derive(Debug, Default)]
pub(super) struct Seen {
    scripts: HashMap<u32, Text>,
    /// Running package managers: what they read is their own and the packages they handle, and says
    /// nothing about whose code they are.
    managers: HashSet<u32>,
    libraries: HashMap<Text, Library>,
}

impl Seen {
    /// What an event calls for.
    pub(super) fn asked(&mut self, event: &Event) -> Option<Asked> {
        match &event.body {
            Body::Exit { actor, .. } => {
                self.scripts.remove(&actor.process.pid);
                self.managers.remove(&actor.process.pid);
                None
            }
            Body::Exec { actor, exec } | Body::Found { actor, exec, .. } => {
                self.manages(actor.process.pid, exec);
                self.script(actor, exec).map(Asked::Read)
            }
            Body::Module { actor, .. } if self.managers.contains(&actor.process.pid) => None,
            Body::Module { actor, path } => self.library(actor, path),
            _ => None,
        }
    }

    fn manages(&mut self, pid: u32, exec: &Exec) {
        if !is_manager(exec) {
            self.managers.remove(&pid);
        } else if self.managers.len() < SEEN_LIMIT {
            self.managers.insert(pid);
        }
    }

    /// A child that goes on in its parent's folder calls for no reading: what was said of the parent
    /// holds for it.
    fn script(&mut self, actor: &Actor, exec: &Exec) -> Option<Wanted> {
        let kind = kind(exec)?;
        let directory = &exec.working_directory;
        let pid = actor.process.pid;
        let known = [pid, exec.parent_pid]
            .iter()
            .any(|pid| self.scripts.get(pid) == Some(directory));
        if self.scripts.len() >= SEEN_LIMIT {
            self.scripts.clear();
        }
        self.scripts.insert(pid, directory.clone());
        (!known && !directory.is_empty()).then(|| Wanted {
            kind,
            about: *actor,
            kin: exec.parent_pid,
            directory: directory.clone(),
        })
    }

    fn library(&mut self, actor: &Actor, path: &Text) -> Option<Asked> {
        let (kind, directory) = import::library(path)?;
        if self.libraries.len() >= SEEN_LIMIT {
            self.libraries.clear();
        }
        let library = self.libraries.entry(directory.clone()).or_default();
        if let Some(manifest) = &library.manifest {
            return Some(Asked::Known(actor.process, manifest.clone()));
        }
        library.tries += 1;
        (library.tries <= TRIES).then(|| {
            Asked::Read(Wanted {
                kind,
                about: *actor,
                kin: match actor.process == actor.root {
                    true => std::process::id(),
                    false => actor.root.pid,
                },
                directory,
            })
        })
    }

    /// Keeps what was read of a library for the next process that reads it.
    pub(super) fn keep(&mut self, manifest: &Manifest) {
        if let Some(library) = self.libraries.get_mut(&manifest.directory) {
            library.manifest = Some(manifest.clone());
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
        || exec.args.iter().skip(1).take(4).any(|arg| {
            matches!(arg.basename(), b"setup.py" | b"_in_process.py")
                || holds(arg.as_bytes(), b"<pip-setuptools-caller>")
                // uv's program for a hook.
                || holds(arg.as_bytes(), b" as backend\n")
        });
    building.then_some(Kind::Python)
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part == word)
}

impl Wanted {
    /// Whom it is about.
    pub(super) fn about(&self) -> ProcessKey {
        self.about.process
    }

    /// Reads it. May block: for the bounded pool only.
    pub(super) fn read(&self, views: &mut Views) -> Option<Manifest> {
        let kin;
        let root = match views.of(self.about.process) {
            Some(view) => &view.root,
            None => {
                kin = self.root_of_kin()?;
                &kin
            }
        };
        let directory = path(self.directory.as_bytes());
        match self.kind {
            Kind::Python => self.read_python(root, directory),
            Kind::Npm | Kind::Module => {
                let file = directory.join("package.json");
                let mut manifest = self.try_file(root, &file, package_json)?;
                manifest.fetched = fetched::node(root, directory, &manifest);
                Some(manifest)
            }
            Kind::Site => import::metadata(root, directory)
                .into_iter()
                .find_map(|file| {
                    let mut manifest = self.try_file(root, &file, headers)?;
                    manifest.fetched = fetched::python(root, file.parent()?);
                    Some(manifest)
                }),
        }
    }

    /// The root folder the process had: a script may be over before it is looked at, and then its
    /// parent's will do if that is in the same container.
    fn root_of_kin(&self) -> Option<OwnedFd> {
        let kin = Held::of_pid(self.kin)?;
        let same_container = self.about.cgroup != 0
            && kin.is_older_than(self.about.process.start)
            && cgroup_of(&kin) == Some(self.about.cgroup);
        same_container.then(|| kin.root().ok()).flatten()
    }

    fn read_python(&self, root: &OwnedFd, directory: &Path) -> Option<Manifest> {
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
                    .flat_map(|folder| import::entries(root, folder, "egg-info", FOLDER_LIMIT))
                    .find_map(|folder| self.try_file(root, &folder.join("PKG-INFO"), headers))
            })
            // A bare folder, before setuptools has written anything into it.
            .or_else(|| self.try_file(root, &directory.join("setup.py"), setup_py))
    }

    fn try_file(
        &self,
        root: &OwnedFd,
        file: &Path,
        parse: fn(&[u8]) -> Option<Said>,
    ) -> Option<Manifest> {
        let said = parse(&read_regular(root, file, SIZE_LIMIT)?)?;
        Some(Manifest {
            directory: self.directory.clone(),
            file: file.file_name()?.to_str()?.to_owned(),
            name: Some(said.name),
            version: said.version,
            fetched: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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
    fn pips_own_caller_of_a_setup_script_runs_a_package() {
        let exec = |code: &str| Exec {
            executable: crate::event::stage::place("/usr/bin/python3.11"),
            args: ["python3", "-u", "-c", code, "egg_info"]
                .map(Text::from)
                .to_vec(),
            ..Exec::default()
        };
        let code = "exec(compile('''\n# This is <pip-setuptools-caller> -- a caller'''))";
        assert!(matches!(kind(&exec(code)), Some(Kind::Python)));
        assert!(kind(&exec("print(1)")).is_none());
    }

    #[test]
    fn a_folder_is_read_once_for_a_process_and_its_children() {
        let mut seen = Seen::default();
        assert!(
            seen.asked(&exec_event(10, 1, "/p/node_modules/a"))
                .is_some()
        );
        assert!(
            seen.asked(&exec_event(10, 1, "/p/node_modules/a"))
                .is_none()
        );
        assert!(
            seen.asked(&exec_event(11, 10, "/p/node_modules/a"))
                .is_none()
        );
        assert!(
            seen.asked(&exec_event(12, 11, "/p/node_modules/b"))
                .is_some()
        );
    }

    #[test]
    fn what_a_package_manager_reads_is_not_asked_about() {
        let mut seen = Seen::default();
        let module = |event: &Event| Event {
            body: Body::Module {
                actor: *event.body.actor().unwrap(),
                path: "/p/node_modules/a/package.json".into(),
            },
            ..event.clone()
        };
        let run = |pid, args: &[&str]| {
            let mut event = exec_event(pid, 1, "/p");
            let Body::Exec { exec, .. } = &mut event.body else {
                unreachable!("it was made as an exec")
            };
            exec.executable.path = "/usr/bin/node".into();
            exec.args = args.iter().map(|&arg| arg.into()).collect();
            event
        };
        let npm = run(10, &["node", "/usr/bin/npm", "ci"]);
        seen.asked(&npm);
        assert!(seen.asked(&module(&npm)).is_none());
        let script = run(10, &["node", "install.js"]);
        seen.asked(&script);
        assert!(seen.asked(&module(&script)).is_some());
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
            kin: 0,
            directory: folder.path().to_str().unwrap().into(),
        };
        let manifest = wanted.read(&mut Views::default()).unwrap();
        assert_eq!(manifest.name.as_deref(), Some("evil"));
        assert_eq!(manifest.version.as_deref(), Some("9"));
    }
}
