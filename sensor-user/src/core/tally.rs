//! What the report says: everything counted that is no alert of its own.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use foldhash::HashMap;

use crate::alert::limit;
use crate::alert::report::{AlertsBy, PackageRun, Registry, Report};
use crate::alert::schema::{Alert, Completeness, Install, User};
use crate::alert::words::{branch_name, level_name};
use crate::attribution::{Attribution, folder_holds};
use crate::detect::Category;
use crate::event::{self, Start, Text};
use crate::lineage::{InstallSession, Process};

use super::act::{Act, Object};
use super::assemble;
use super::connections::Connections;
use super::moment::{Clock, Moment};

/// Descendants that are named in a report: each with its arguments.
const STILL_RUNNING: usize = 200;
/// The longest list in a report.
const LONGEST_LIST: usize = 10_000;
/// The longest list of paths, in bytes.
const LONGEST_PATHS: usize = 1 << 20;

/// Counts and lists of one watch, or of one install in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) connections: Connections,
    pub(super) late: bool,
    pub(super) io_uring: bool,
    command: Vec<String>,
    began: Option<u64>,
    now: u64,
    executed: u64,
    failed_execs: u64,
    installs: Vec<Rc<InstallSession>>,
    packages: Vec<Rc<RefCell<Attribution>>>,
    registries: BTreeSet<Registry>,
    /// Those in `packages`, by identity: a package is kept as long as it is in there.
    seen: HashSet<*const RefCell<Attribution>>,
    files: BTreeSet<String>,
    files_bytes: usize,
    alerts: Vec<String>,
    by: AlertsBy,
    repeats: BTreeMap<String, u64>,
    suppressed: BTreeMap<String, u64>,
}

impl Tally {
    /// Of an install that this process began, or was found in.
    pub(super) fn of_install(install: &Rc<InstallSession>, process: &Process) -> Self {
        let image = process.image().filter(|_| process.node.key == install.root);
        Self {
            command: match image {
                Some(image) => image.args.iter().map(Text::escaped).collect(),
                None => vec![install.command.to_string()],
            },
            began: Some(install.started),
            now: install.started,
            installs: vec![Rc::clone(install)],
            ..Self::default()
        }
    }

    /// Grows with everything that a report would show.
    pub(super) fn weight(&self) -> u64 {
        let repeats: u64 = self.repeats.values().chain(self.suppressed.values()).sum();
        let lists = self.alerts.len() + self.files.len() + self.packages.len();
        self.executed + repeats + lists as u64 + self.connections.count()
    }

    pub(super) fn at(&mut self, time: u64) {
        self.began.get_or_insert(time);
        self.now = self.now.max(time);
    }

    pub(super) fn begin(&mut self, start: &Start) {
        if self.command.is_empty() {
            self.command = start.command.iter().map(Text::escaped).collect();
        }
    }

    pub(super) fn executed(&mut self) {
        self.executed += 1;
    }

    pub(super) fn exec_failed(&mut self) {
        self.failed_execs += 1;
    }

    pub(super) fn failed_execs(&self) -> u64 {
        self.failed_execs
    }

    pub(super) fn started_late(&mut self) {
        self.late = true;
    }

    pub(super) fn io_uring_used(&mut self) {
        self.io_uring = true;
    }

    /// A program was started: its install and its package are kept if they are new.
    pub(super) fn scope_entered(&mut self, process: &Process) {
        let context = &process.context;
        if let Some(install) = &context.install
            && install.root == process.node.key
            && self.installs.len() < LONGEST_LIST
            && !self.installs.iter().any(|known| Rc::ptr_eq(known, install))
        {
            self.installs.push(Rc::clone(install));
        }
        if let Some(package) = &context.package
            && !package.borrow().imported
            && self.packages.len() < LONGEST_LIST
            && self.seen.insert(Rc::as_ptr(package))
        {
            self.packages.push(Rc::clone(package));
        }
    }

    /// Hosts that a package manager was told to use.
    pub(super) fn configured(&mut self, registries: &[event::Registry]) {
        for registry in registries {
            if self.registries.len() < LONGEST_LIST {
                self.registries.insert(Registry {
                    host: registry.host.escaped(),
                    port: registry.port,
                    source: registry.source.escaped(),
                });
            }
        }
    }

    pub(super) fn acted(&mut self, act: &Act<'_>, moment: &Moment<'_>, start: &Start) {
        match &act.object {
            Object::Peer(socket) => {
                let connects = act.word == crate::alert::schema::EventWord::Connect;
                let name = moment.peer.name.as_ref();
                self.connections
                    .attempted(moment.actor, socket, name, connects);
            }
            // An io_uring open may have been for reading.
            Object::File(file)
                if act.category == Category::FileEvent && file.operation != "open" =>
            {
                let path = file.place.path.to_str_lossy();
                let context = &moment.process.context;
                let inside = match &context.project {
                    Some(_) => context.in_project(&path),
                    None => folder_holds(&start.working_directory.to_str_lossy(), &path),
                };
                if !inside
                    && self.files.len() < LONGEST_LIST
                    && self.files_bytes + path.len() < LONGEST_PATHS
                    && self.files.insert(file.place.path.escaped())
                {
                    self.files_bytes += path.len();
                }
            }
            _ => {}
        }
    }

    pub(super) fn raised(&mut self, alert: &Alert) {
        if self.alerts.len() < LONGEST_LIST {
            self.alerts.push(alert.id.clone());
        }
        let level = level_name(alert.level).to_owned();
        let branch = branch_name(alert.detection_branch).to_owned();
        *self.by.level.entry(level).or_default() += 1;
        *self.by.branch.entry(branch).or_default() += 1;
    }

    pub(super) fn repeated(&mut self, id: &str) {
        if let Some(count) = self.repeats.get_mut(id) {
            *count += 1;
        } else if self.repeats.len() < LONGEST_LIST {
            self.repeats.insert(id.to_owned(), 1);
        }
    }

    pub(super) fn suppressed(&mut self, filter: &str) {
        *self.suppressed.entry(filter.to_owned()).or_default() += 1;
    }

    pub(super) fn report<'p>(
        &self,
        alive: impl IntoIterator<Item = &'p Process>,
        clock: Clock<'_>,
        users: &HashMap<u32, Rc<str>>,
        completeness: Completeness,
    ) -> Report {
        let mut seen = BTreeSet::new();
        let packages = self.packages.iter().filter_map(|package| {
            let package = package.borrow().package()?;
            let lifecycle = package.lifecycle.clone();
            let key = (package.purl.clone(), lifecycle.clone());
            seen.insert(key).then_some(PackageRun {
                package,
                lifecycle,
                approved: None,
            })
        });
        Report {
            schema: "pkgwarden.session/1".to_owned(),
            command: self.command.clone(),
            exit: None,
            ci: None,
            installs: self
                .installs
                .iter()
                .map(|install| installed(install, users, clock))
                .collect(),
            packages: packages.collect(),
            registries: self.registries.iter().cloned().collect(),
            alerts_by: self.by.clone(),
            processes: self.executed,
            connections: self.connections.all(),
            files_outside_project: self.files.iter().cloned().collect(),
            alerts: self.alerts.clone(),
            repeats: self.repeats.clone(),
            suppressed: self.suppressed.clone(),
            still_running: alive
                .into_iter()
                .take(STILL_RUNNING)
                .map(|process| {
                    let mut short = assemble::short(&process.node, clock);
                    limit::brief(&mut short);
                    short
                })
                .collect(),
            completeness,
            started: clock.rfc3339(self.began.unwrap_or_default()),
            ended: clock.rfc3339(self.now),
        }
    }
}

/// An install for alerts and reports.
pub(super) fn installed(
    install: &InstallSession,
    users: &HashMap<u32, Rc<str>>,
    clock: Clock<'_>,
) -> Install {
    Install {
        id: clock.entity_id(install.root),
        installer: install.installer.to_string(),
        command: install.command.to_string(),
        working_directory: install.working_directory.to_string(),
        started: clock.rfc3339(install.started),
        user: User {
            name: users.get(&install.uid).map(ToString::to_string),
            id: install.uid,
        },
    }
}
