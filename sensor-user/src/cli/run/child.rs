//! The watched command as its parent sees it: started, held back, let go, waited for.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};
use tokio::process::{Child, Command};

use super::caller::Caller;
use crate::cli::launch::{READY, Step};

/// What to run.
#[derive(Debug, Default)]
pub(crate) struct Task {
    pub(crate) command: Vec<OsString>,
    /// The user to run it as, where that is not us.
    pub(crate) caller: Option<Caller>,
    /// Instead of the inherited environment.
    pub(crate) environment: Option<Vec<(OsString, OsString)>>,
    /// Instead of the working directory.
    pub(crate) directory: Option<PathBuf>,
    /// Inside a network namespace with nothing in it.
    pub(crate) no_network: bool,
    /// Neither input nor output.
    pub(crate) silent: bool,
}

/// Why CMD did not start. Each has an exit status of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("{}: command not found", name.display())]
    NotFound { name: OsString },
    #[error("{}: can't be executed: {}", name.display(), errno.desc())]
    NotExecutable { name: OsString, errno: Errno },
    #[error("the command could not be started as {user}: {}", errno.desc())]
    Identity { user: String, errno: Errno },
    #[error("there is no network namespace to be had: {}", errno.desc())]
    Namespace { errno: Errno },
    #[error("the command could not be started: {0}")]
    Start(#[from] io::Error),
    #[error("the command could not be started: {}", .0.desc())]
    Pipe(#[from] Errno),
    #[error("the command was gone before it could be started")]
    Gone,
}

impl StartError {
    /// As env(1) and the shells have it.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            StartError::NotFound { .. } => 127,
            StartError::NotExecutable { .. } => 126,
            _ => 125,
        }
    }
}

/// The process that will become the command.
#[derive(Debug)]
pub(crate) struct Held {
    child: Child,
    pid: u32,
    go: File,
    fault: File,
    name: OsString,
    user: String,
}

/// The running command.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pid: u32,
}

/// Starts the process, and waits until nothing is left for it to do but to exec. Its program is
/// this very binary.
pub(crate) async fn hold(task: &Task) -> Result<Held, StartError> {
    let (go_read, go_write) = pipe2(OFlag::O_CLOEXEC)?;
    let (fault_read, fault_write) = pipe2(OFlag::O_CLOEXEC)?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0("pkgwarden").arg("launch");
    for (flag, pipe) in [("--go", &go_read), ("--fault", &fault_write)] {
        inherit(pipe)?;
        command.arg(flag).arg(pipe.as_raw_fd().to_string());
    }
    if let Some(environment) = &task.environment {
        command.env_clear().envs(environment.iter().cloned());
    }
    if let Some(caller) = &task.caller {
        command
            .arg("--uid")
            .arg(caller.uid.to_string())
            .arg("--gid")
            .arg(caller.gid.to_string())
            .arg("--user")
            .arg(&caller.name)
            .envs(caller.environment())
            .env_remove("SUDO_UID")
            .env_remove("SUDO_GID")
            .env_remove("SUDO_USER")
            .env_remove("SUDO_COMMAND");
    }
    if let Some(directory) = &task.directory {
        command.current_dir(directory);
    }
    if task.no_network {
        command.arg("--no-network");
    }
    if task.silent {
        use std::process::Stdio;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Nobody would see that it hangs.
            .kill_on_drop(true);
    }
    let child = command.arg("--").args(&task.command).spawn()?;
    let pid = child.id().ok_or(StartError::Gone)?;
    // Or the end of what it writes would never come.
    drop((go_read, fault_write));
    let mut held = Held {
        child,
        pid,
        go: File::from(go_write),
        fault: File::from(fault_read),
        name: task.command[0].clone(),
        user: task
            .caller
            .as_ref()
            .map(|caller| caller.name.clone())
            .unwrap_or_default(),
    };
    match held.hear(1).await?[..] {
        [READY] => Ok(held),
        [first] => Err(held.failed(first).await),
        _ => Err(StartError::Gone),
    }
}

fn inherit(pipe: &OwnedFd) -> nix::Result<()> {
    fcntl(pipe, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)
}

impl Held {
    /// Its pid, which the command keeps.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets it go on, and waits until the command's program has begun or can't.
    pub(crate) async fn release(mut self) -> Result<Running, StartError> {
        // A broken pipe means that it ended; then the other pipe says why, or that it did.
        let _ = self.go.write_all(&[1]);
        match self.hear(1).await?[..] {
            [first] => Err(self.failed(first).await),
            // exec closed the pipe.
            _ => Ok(Running {
                child: self.child,
                pid: self.pid,
            }),
        }
    }

    /// At most so many bytes of what the process says; none once it has become the command or ended.
    async fn hear(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let fault = self.fault.try_clone()?;
        // On the blocking pool: it is a matter of milliseconds.
        tokio::task::spawn_blocking(move || {
            let mut said = Vec::new();
            fault.take(limit).read_to_end(&mut said).map(|_| said)
        })
        .await
        .map_err(io::Error::other)?
    }

    /// Why there will be no command, from a message that begins with this letter.
    async fn failed(mut self, first: u8) -> StartError {
        let mut message = vec![first];
        match self.hear(16).await {
            Ok(rest) => message.extend(rest),
            Err(error) => return error.into(),
        }
        // Its end is of no interest, but it should not stay as a zombie.
        let _ = self.child.wait().await;
        let Some((step, errno)) = Step::read(&message) else {
            return StartError::Gone;
        };
        let errno = Errno::from_raw(errno);
        let name = self.name;
        match (step, errno) {
            (Step::Exec, Errno::ENOENT | Errno::ENOTDIR) => StartError::NotFound { name },
            (Step::Exec, errno) => StartError::NotExecutable { name, errno },
            (Step::Identity, errno) => StartError::Identity {
                user: self.user,
                errno,
            },
            (Step::Namespace, errno) => StartError::Namespace { errno },
        }
    }
}

impl Running {
    /// Waits for its end. Can be called again after it was cancelled.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Hands a signal on. One that is gone already needs none.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.child.id().is_some() {
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), signal);
        }
    }
}

/// The status that a shell would give for it.
pub(crate) fn shell_status(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signals_status_is_128_and_its_number() {
        assert_eq!(shell_status(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(shell_status(ExitStatus::from_raw(9)), 137);
    }
}
