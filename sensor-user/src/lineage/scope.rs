//! Scopes and install sessions: what a process is part of, copied at fork and frozen.
//!
//! Nothing a process does later takes it out: no `env -i`, chdir, setsid, double fork or dead
//! parent. An exec can only add: a package manager's install verb starts an install session where
//! there is none, a node or python starts the runtime scope. So can the fork of a CI worker: what it
//! makes is a step.

use std::cell::RefCell;
use std::rc::Rc;

use crate::alert::schema::Scope;
use crate::attribution::{Attribution, CiStep, folder_holds};
use crate::event::{Actor, Exec, ProcessKey};

use super::editors;
use super::image::{Image, Loading};

/// A package manager's install command and everything descended from it.
#[derive(Debug, PartialEq, Eq)]
pub struct InstallSession {
    /// The process that ran the command.
    pub root: ProcessKey,
    /// `npm`, `pip`, …
    pub installer: Rc<str>,
    /// Its command line.
    pub command: Rc<str>,
    /// Where it was started.
    pub working_directory: Rc<str>,
    /// The folder it installs into: an option's, or where it was started.
    pub project: Rc<str>,
    /// When, in nanoseconds of CLOCK_BOOTTIME.
    pub started: u64,
    /// As whom.
    pub uid: u32,
}

/// What a process is part of.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The outermost install; nested ones stay in it.
    pub install: Option<Rc<InstallSession>>,
    /// Library code runs here.
    pub runtime: bool,
    /// A CI worker made this, or something above it.
    pub ci_step: bool,
    /// The folder of the project: of the install, otherwise of the outermost manager command.
    pub project: Option<Rc<str>>,
    /// Whose code this is. Shared by all processes it was copied to, since a manifest is read a
    /// moment after the process that it describes began.
    pub package: Option<Rc<RefCell<Attribution>>>,
    /// The CI job.
    pub ci: Option<Rc<CiStep>>,
    /// What the first program of the lineage was made to load: the user's own choice.
    pub loading: Option<Rc<Loading>>,
}

impl Context {
    /// Adds what starting this program adds.
    pub(super) fn enter(&mut self, actor: &Actor, image: &Image, time: u64) {
        // What a step does before any package's code runs is its author's choice too.
        if self.loading.is_none() || (self.ci_step && self.is_nobodys()) {
            self.loading = Some(Rc::new(image.loading.clone()));
        }
        if let Some(invocation) = &image.invocation {
            let project = folder(&image.directory, invocation.folder.as_deref());
            if invocation.installs && self.install.is_none() {
                self.project = Some(Rc::clone(&project));
                self.install = Some(Rc::new(InstallSession {
                    root: actor.process,
                    installer: invocation.manager.name().into(),
                    command: Rc::clone(&image.command_line),
                    working_directory: Rc::clone(&image.directory),
                    project,
                    started: time,
                    uid: actor.uid,
                }));
            } else if self.project.is_none() {
                self.project = Some(project);
            }
        }
        if image.interpreter.is_some() && self.install.is_none() && !editors::owns(&image.path) {
            self.runtime = true;
        }
    }

    /// A package that `npx` or `npm create` fetched to run it has lifecycle scripts too: each is an
    /// install, though the command is none.
    pub(super) fn enter_lifecycle(
        &mut self,
        actor: &Actor,
        manager: Option<&Image>,
        exec: &Exec,
        time: u64,
    ) {
        const INSTALLING: &[&str] = &[
            "preinstall",
            "install",
            "postinstall",
            "preprepare",
            "prepare",
            "postprepare",
        ];
        let Some((manager, invocation)) =
            manager.and_then(|image| Some((image, image.invocation.as_ref()?)))
        else {
            return;
        };
        let installs = self.package.as_ref().is_some_and(|package| {
            let package = package.borrow();
            let lifecycle = package.lifecycle.as_deref();
            lifecycle.is_some_and(|lifecycle| INSTALLING.contains(&lifecycle))
        });
        // `npm run postinstall`
        let asked_for = exec.environment.get("npm_command").is_some_and(|command| {
            matches!(
                command.as_bytes(),
                b"run-script" | b"run" | b"test" | b"start"
            )
        });
        if installs && !asked_for && self.install.is_none() {
            self.install = Some(Rc::new(InstallSession {
                root: actor.process,
                installer: invocation.manager.name().into(),
                command: Rc::clone(&manager.command_line),
                working_directory: Rc::clone(&manager.directory),
                project: self
                    .project
                    .clone()
                    .unwrap_or_else(|| Rc::clone(&manager.directory)),
                started: time,
                uid: actor.uid,
            }));
        }
    }

    /// A CI worker made this process. Called at fork.
    pub(super) fn enter_step(&mut self) {
        self.ci_step = true;
        if self.is_nobodys() {
            // Of the worker, not of the job.
            self.loading = None;
        }
    }

    /// No install, no library and no package manager is above: nobody's code but the user's own.
    pub(super) fn is_nobodys(&self) -> bool {
        self.install.is_none() && !self.runtime && self.package.is_none() && self.project.is_none()
    }

    /// Whether a path lies in the project. An install that was started in a home folder or another
    /// place of many things makes no project of it: a start-up file would lie inside.
    pub fn in_project(&self, path: &str) -> bool {
        self.project
            .as_ref()
            .is_some_and(|project| !holds_many_things(project) && folder_holds(project, path))
    }

    /// All scopes, in the order of the contract.
    pub fn scopes(&self) -> Vec<Scope> {
        let install = self.install.is_some().then_some(Scope::Install);
        let runtime = self.runtime.then_some(Scope::Runtime);
        let ci_step = self.ci_step.then_some(Scope::CiStep);
        install.into_iter().chain(runtime).chain(ci_step).collect()
    }

    /// As rules see them: `|install|`, `|install|ci_step|`.
    pub fn scope(&self) -> Option<&'static str> {
        Some(match (self.install.is_some(), self.runtime, self.ci_step) {
            (true, true, true) => "|install|runtime|ci_step|",
            (true, true, false) => "|install|runtime|",
            (true, false, true) => "|install|ci_step|",
            (true, false, false) => "|install|",
            (false, true, true) => "|runtime|ci_step|",
            (false, true, false) => "|runtime|",
            (false, false, true) => "|ci_step|",
            (false, false, false) => return None,
        })
    }
}

fn holds_many_things(folder: &str) -> bool {
    let mut parts = folder.split('/').filter(|part| !part.is_empty());
    matches!(
        [parts.next(), parts.next(), parts.next()],
        [
            None | Some("root" | "home" | "tmp" | "etc" | "usr" | "var" | "opt" | "srv"),
            None,
            None
        ] | [Some("home"), Some(_), None]
            | [Some("var"), Some("tmp"), None]
            | [Some("dev"), Some("shm"), None]
    )
}

/// The folder that an option names, seen from where the command was started.
fn folder(directory: &Rc<str>, option: Option<&str>) -> Rc<str> {
    match option {
        None => Rc::clone(directory),
        Some(option) => join(directory, option).into(),
    }
}

/// A path as the kernel would walk it, apart from symlinks.
pub(crate) fn join(base: &str, path: &str) -> String {
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{base}/{path}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_folder_is_no_project() {
        let inside = |project: &str, path: &str| {
            let project = Some(project.into());
            Context {
                project,
                ..Context::default()
            }
            .in_project(path)
        };
        assert!(inside("/home/a/p", "/home/a/p/.git/hooks/x"));
        assert!(inside("/app", "/app/x"));
        assert!(!inside("/home/a/p", "/home/a/p2/x"));
        for home in ["/", "/root", "/home/a", "/tmp"] {
            assert!(!inside(home, &format!("{home}/.bashrc")), "{home}");
        }
    }

    #[test]
    fn a_project_named_by_an_option_is_seen_from_where_the_command_was_started() {
        assert_eq!(join("/home/a/p", "../q/./r"), "/home/a/q/r");
        assert_eq!(join("/home/a", "/srv"), "/srv");
        assert_eq!(join("/", "../.."), "/");
    }
}
