//! A command that runs beside the test, under nobody's `run`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::Scratch;

const PATIENCE: Duration = Duration::from_secs(60);

/// In a process group of its own, which is killed when this is dropped.
#[derive(Debug)]
pub struct Background {
    child: Mutex<Child>,
    group: Pid,
    out: PathBuf,
}

impl Background {
    /// Starts it in the scratch project.
    pub fn start<A: AsRef<OsStr>>(scratch: &Scratch, command: impl IntoIterator<Item = A>) -> Self {
        let mut line = command.into_iter();
        let out = scratch.out().join("background");
        let child = Command::new(line.next().expect("a command has a name"))
            .args(line)
            .env_clear()
            .envs(scratch.environment())
            .current_dir(scratch.project())
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::options().append(true).open(&out).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            group: Pid::from_raw(child.id() as i32),
            child: Mutex::new(child),
            out,
        }
    }

    /// Of the command itself, unless that started another in its place.
    pub fn pid(&self) -> Pid {
        self.group
    }

    /// Waits until something is so while it runs.
    pub fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(
                Instant::now() < until,
                "waited in vain until {what}\n{}",
                self.printed()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end, which must be a good one.
    pub fn succeeds(&self) {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "still runs\n{}", self.printed());
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{status}\n{}", self.printed());
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = killpg(self.group, Signal::SIGKILL);
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
