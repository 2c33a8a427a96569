//! The folders that a benchmark works in, on a file system in memory, so that no disk is measured.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tests::{Journal, Scratch, journal};
use xshell::{Shell, cmd};

use super::figure::{Figure, Sample, Section, Unit};
use crate::workspace;

/// What is installed by pip: twenty wheels, as in a web service of some years.
pub(super) const WHEELS: [&str; 20] = [
    "attrs==24.3.0",
    "certifi==2024.12.14",
    "charset-normalizer==3.4.1",
    "click==8.1.8",
    "flask==3.1.0",
    "idna==3.10",
    "itsdangerous==2.2.0",
    "jinja2==3.1.5",
    "markupsafe==3.0.2",
    "numpy==2.2.1",
    "packaging==24.2",
    "platformdirs==4.3.6",
    "pygments==2.19.1",
    "python-dateutil==2.9.0.post0",
    "pyyaml==6.0.2",
    "requests==2.32.3",
    "rich==13.9.4",
    "six==1.17.0",
    "urllib3==2.3.0",
    "werkzeug==3.1.3",
];

/// Everything a benchmark needs; unmounted when dropped.
pub(super) struct Stage {
    folder: PathBuf,
    pub(super) pkgwarden: PathBuf,
    /// Does things by the thousand.
    pub(super) load: PathBuf,
    /// The same program under the name of a package manager.
    pub(super) manager: PathBuf,
    /// npm's and pip's, with what they fetched.
    cache: PathBuf,
    pub(super) wheels: PathBuf,
    pub(super) journal: Option<Journal>,
    _scratch: Scratch,
    /// How long each start took.
    ready: RefCell<Sample>,
}

impl Stage {
    pub(super) fn make(sh: &Shell, pkgwarden: &Path, load: &Path) -> anyhow::Result<Self> {
        // No part of its path is a name that rules look for, as `tmp` is.
        let folder = workspace::root().join("target/bench");
        fs::create_dir_all(&folder)?;
        // Of a run that was killed.
        let _ = Command::new("umount")
            .arg(&folder)
            .stderr(Stdio::null())
            .status();
        cmd!(sh, "mount -t tmpfs -o mode=0755 pkgwarden-bench {folder}")
            .quiet()
            .run()?;
        let cache = workspace::cache()?;
        let scratch = Scratch::new();
        let stage = Self {
            pkgwarden: folder.join("bin/pkgwarden"),
            load: folder.join("bin/load"),
            manager: folder.join("bin/uv"),
            wheels: cache.join("bench-wheels"),
            journal: journal::available().ok().map(|()| Journal::start(&scratch)),
            _scratch: scratch,
            cache,
            folder,
            ready: RefCell::default(),
        };
        for name in ["bin", "npm", "state", "deep", "rules"] {
            fs::create_dir_all(stage.path(name))?;
        }
        fs::copy(pkgwarden, &stage.pkgwarden)?;
        fs::copy(load, &stage.load)?;
        fs::copy(load, &stage.manager)?;
        stage.project(sh)?;
        stage.fetch_wheels(sh)?;
        Ok(stage)
    }

    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// The npm project, installed once so that its cache is warm.
    fn project(&self, sh: &Shell) -> anyhow::Result<()> {
        let fixture = workspace::root().join("tests/fixtures/npm/honest-project");
        for name in ["package.json", "package-lock.json"] {
            sh.copy_file(fixture.join(name), self.path("npm"))?;
        }
        super::say("npm ci once, for its cache");
        let status = self
            .command("npm")
            .args(["ci", "--prefer-offline"])
            .current_dir(self.path("npm"))
            .status()?;
        ensure!(status.success(), "npm ci does not work here: {status}");
        Ok(())
    }

    fn fetch_wheels(&self, sh: &Shell) -> anyhow::Result<()> {
        let there = fs::read_dir(&self.wheels).map_or(0, Iterator::count);
        if there == WHEELS.len() {
            return Ok(());
        }
        super::say("fetching the wheels, once");
        sh.remove_path(&self.wheels)?;
        let status = self
            .command("/usr/bin/python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps"])
            .args(["--only-binary=:all:", "--dest"])
            .arg(&self.wheels)
            .args(WHEELS)
            .status()?;
        ensure!(status.success(), "the wheels can't be fetched: {status}");
        Ok(())
    }

    /// A command as the benchmarks run it: quiet, with the caches of earlier runs.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .env("npm_config_cache", self.cache.join("npm"))
            .env("npm_config_update_notifier", "false")
            .env("npm_config_audit", "false")
            .env("npm_config_fund", "false")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_CACHE_DIR", self.cache.join("pip"))
            // cargo's own libraries are not for what is measured.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs a command to its end, and tells how many seconds it took.
    pub(super) fn timed(&self, command: &[&str], directory: &Path) -> anyhow::Result<f64> {
        let file = self.path("took");
        let status = self
            .command(&self.load)
            .args(["load", "timed"])
            .arg(&file)
            .args(command)
            .current_dir(directory)
            .status()?;
        ensure!(
            status.success(),
            "{} ended with {status}",
            command.join(" ")
        );
        let took: f64 = fs::read_to_string(&file)?
            .parse()
            .context("no time was written")?;
        Ok(took / 1e9)
    }

    /// What a command printed, as a number.
    pub(super) fn number(&self, command: &mut Command) -> anyhow::Result<f64> {
        let output = command.stdout(Stdio::piped()).output()?;
        ensure!(output.status.success(), "{command:?}: {}", output.status);
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim()
            .parse()
            .with_context(|| format!("{command:?} printed {text:?}"))
    }

    /// A daemon was ready after so long.
    pub(super) fn ready(&self, after: Duration) {
        self.ready.borrow_mut().push(after.as_secs_f64() * 1e3);
    }

    /// The starts of all daemons of this benchmark.
    pub(super) fn starts(&self) -> Section {
        let sample = self.ready.borrow().clone();
        Section {
            title: "Start",
            how: vec![
                "From the start of `pkgwarden daemon` to READY=1 on its notification socket: every \
                 daemon that this page needed."
                    .to_owned(),
            ],
            commands: vec!["NOTIFY_SOCKET=… pkgwarden daemon".to_owned()],
            figures: vec![Figure::new("start → READY", Unit::Milliseconds, sample).at_most(500.0)],
            skipped: Vec::new(),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.journal = None;
        let _ = Command::new("umount").arg(&self.folder).status();
    }
}
