//! What resolves names where a session begins, and which registries and proxies its package manager is
//! told to use: read before it has run anybody's script, and kept by the core as it was then.
//!
//! A project's own files are among them, and a project may be hostile: that is why the report shows
//! where each host was found. Only hosts and ports are taken; logins in an address are left behind.

mod javascript;
mod python;
mod system;
mod variables;

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::process::{Held, View, Views, path, read_regular, resolve};
use crate::event::{Body, Event, Exec, ProcessKey, Registry, Resolver, Text};
use crate::lineage::{Invocation, invocation, is_worker};
use crate::names::host_of;

use variables::Variables;

/// No honest configuration file is near it.
const SIZE_LIMIT: u64 = 256 << 10;
/// How far up from where a command is started a project's folder is looked for.
const FOLDERS_UP: usize = 32;
/// How many hosts are told.
const REGISTRIES: usize = 64;
/// How many lineages are remembered; beyond, files are read again.
const SEEN_LIMIT: usize = 4096;

/// Whose files were read already.
#[derive(Debug, Default)]
pub(super) struct Seen {
    roots: HashSet<ProcessKey>,
    /// Pids of CI workers.
    workers: HashSet<u32>,
}

/// One reading to be done.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    about: ProcessKey,
    install: Option<Install>,
}

/// The command that installs.
#[derive(Debug, Clone)]
struct Install {
    invocation: Invocation,
    args: Vec<Text>,
    directory: Text,
    /// The executable, and what was asked for: both tell where the installation lies.
    programs: [Text; 2],
}

impl Seen {
    /// What an event calls for: a lineage or a CI step begins, or an install may.
    pub(super) fn asked(&mut self, event: &Event) -> Option<Wanted> {
        let (Body::Exec { actor, exec } | Body::Found { actor, exec, .. }) = &event.body else {
            return None;
        };
        let first = actor.process == actor.root || self.workers.contains(&exec.parent_pid);
        let begins = first && !self.roots.contains(&actor.process);
        if begins {
            if self.roots.len() >= SEEN_LIMIT {
                self.roots.clear();
            }
            self.roots.insert(actor.process);
        }
        if self.workers.len() >= SEEN_LIMIT {
            // One a job: those of long ago are over.
            self.workers.clear();
        }
        match is_worker(exec) {
            true => self.workers.insert(actor.process.pid),
            false => self.workers.remove(&actor.process.pid),
        };
        let install = install(exec);
        (begins || install.is_some()).then_some(Wanted {
            about: actor.process,
            install,
        })
    }
}

fn install(exec: &Exec) -> Option<Install> {
    let invocation = invocation(exec).filter(|invocation| invocation.installs)?;
    Some(Install {
        invocation,
        args: exec.args.clone(),
        directory: exec.working_directory.clone(),
        programs: [exec.executable.path.clone(), exec.requested.clone()],
    })
}

impl Wanted {
    /// Whom it is about.
    pub(super) fn about(&self) -> ProcessKey {
        self.about
    }

    /// Reads it. May block: for the bounded pool only.
    pub(super) fn read(&self, views: &mut Views) -> Option<Resolver> {
        let View { root, .. } = views.of(self.about)?;
        let (servers, hosts) = system::read(root);
        let registries = match &self.install {
            Some(install) => {
                let held = Held::of(self.about);
                let block = held.and_then(|held| held.read("environ"));
                let block = block.unwrap_or_default();
                let variables = Variables::of(&block);
                Reading::of(root, install, &variables).registries
            }
            None => Vec::new(),
        };
        Some(Resolver {
            servers,
            hosts,
            registries,
        })
    }
}

/// The files of one process's view, and what was found in them.
struct Reading<'r> {
    root: &'r OwnedFd,
    variables: &'r Variables,
    registries: Vec<Registry>,
}

impl<'r> Reading<'r> {
    fn of(root: &'r OwnedFd, install: &Install, variables: &'r Variables) -> Self {
        let mut reading = Self {
            root,
            variables,
            registries: Vec::new(),
        };
        let started = path(install.directory.as_bytes());
        let folder = match &install.invocation.folder {
            Some(option) => started.join(option),
            None => started.to_owned(),
        };
        variables::arguments(&mut reading, &install.args);
        variables::environment(&mut reading);
        match install.invocation.manager.runs_node_packages() {
            true => javascript::read(&mut reading, &folder, &install.programs),
            false => python::read(&mut reading, &folder, &install.programs, &install.args),
        }
        reading
    }

    fn text(&self, file: &Path) -> Option<String> {
        let bytes = read_regular(self.root, file, SIZE_LIMIT)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn has(&self, file: &Path) -> bool {
        resolve(self.root, file, OFlag::empty()).is_ok()
    }

    /// A folder of the user's: below HOME, where that is an absolute path.
    fn home(&self, below: &str) -> Option<PathBuf> {
        let home = Path::new(self.variables.get("HOME")?);
        home.is_absolute().then(|| home.join(below))
    }

    /// A file of the user's settings (XDG).
    fn config(&self, below: &str) -> Option<PathBuf> {
        match self.variables.get("XDG_CONFIG_HOME").map(Path::new) {
            Some(folder) if folder.is_absolute() => Some(folder.join(below)),
            _ => Some(self.home(".config")?.join(below)),
        }
    }

    /// A host, if the value is an address that has one.
    fn add(&mut self, value: &str, source: &str) {
        let Some((host, port)) = host_of(value) else {
            return;
        };
        let known =
            |known: &Registry| known.host.as_bytes() == host.as_bytes() && known.port == port;
        if self.registries.len() < REGISTRIES && !self.registries.iter().any(known) {
            self.registries.push(Registry {
                host: host.as_str().into(),
                port,
                source: source.into(),
            });
        }
    }
}

/// The folder and those above it, nearest first.
fn upwards(folder: &Path) -> impl Iterator<Item = &Path> {
    folder.ancestors().take(FOLDERS_UP)
}

/// `/usr` of `/usr/bin/node`.
fn prefixes(programs: &[Text; 2]) -> impl Iterator<Item = &Path> {
    programs
        .iter()
        .filter_map(|program| path(program.as_bytes()).parent()?.parent())
        .filter(|prefix| prefix.is_absolute())
}

#[cfg(test)]
mod tests;
