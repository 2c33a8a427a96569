//! The hidden verb `launch`: the watched command before it is the command.
//!
//! `run` starts its own binary so that the process exists, and can be put into the lineage set,
//! before the command's program begins, and without code between fork and exec in the parent. It
//! becomes the caller, says that it is ready, waits for one byte, and execs. Nothing of us is left in what the command
//! sees: no variable, and no open file but what the caller had open.
//!
//! Two pipes are inherited by number. They are opened again through /proc (which needs no unsafe
//! code and sets close-on-exec), and the inherited numbers are closed.

use std::ffi::{CString, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Args;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid, close, getgid, getuid, initgroups, setresgid, setresuid};

use super::run::signals::FORWARDED;

/// Arguments that only `run` gives.
#[derive(Debug, Args)]
pub(crate) struct LaunchArgs {
    /// Number of the pipe to wait on
    #[arg(long)]
    go: i32,
    /// Number of the pipe that takes the errno of a failure
    #[arg(long)]
    fault: i32,
    /// Become this user first
    #[arg(long, requires_all = ["gid", "user"])]
    uid: Option<u32>,
    #[arg(long)]
    gid: Option<u32>,
    #[arg(long)]
    user: Option<String>,
    /// Without any network
    #[arg(long)]
    no_network: bool,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Says that everything is done but the exec.
pub(crate) const READY: u8 = b'r';

/// What stopped the command from starting, as it goes through the pipe: a step and an errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The command's program could not be executed.
    Exec,
    /// The caller's identity could not be taken.
    Identity,
    /// There is no network namespace.
    Namespace,
}

impl Step {
    const ALL: [(Step, u8); 3] = [
        (Step::Exec, b'e'),
        (Step::Identity, b'i'),
        (Step::Namespace, b'n'),
    ];

    fn letter(self) -> u8 {
        Self::ALL
            .iter()
            .find(|(step, _)| *step == self)
            .map_or(b'?', |&(_, letter)| letter)
    }

    /// Reads what [`report`] wrote.
    pub(crate) fn read(message: &[u8]) -> Option<(Step, i32)> {
        let (&first, rest) = message.split_first()?;
        let &(step, _) = Self::ALL.iter().find(|&&(_, letter)| letter == first)?;
        Some((step, std::str::from_utf8(rest).ok()?.parse().ok()?))
    }
}

fn report(mut fault: &File, step: Step, error: &io::Error) -> ExitCode {
    let errno = error.raw_os_error().unwrap_or(0);
    let mut message = vec![step.letter()];
    message.extend_from_slice(errno.to_string().as_bytes());
    // Whoever would read it may be gone; then there is nobody to tell.
    let _ = fault.write_all(&message);
    ExitCode::from(125)
}

/// Waits, and becomes the command.
pub(crate) fn launch(args: LaunchArgs) -> ExitCode {
    let (Ok(mut go), Ok(fault)) = (
        File::open(format!("/proc/self/fd/{}", args.go)),
        OpenOptions::new()
            .write(true)
            .open(format!("/proc/self/fd/{}", args.fault)),
    ) else {
        eprintln!("pkgwarden: `launch` is a part of `run` and can't be used alone");
        return ExitCode::from(125);
    };
    // Numbers that are open, or the opening would have failed.
    let _ = close(args.go);
    let _ = close(args.fault);

    if args.no_network
        && let Err(error) = leave_network()
    {
        return report(&fault, Step::Namespace, &error);
    }
    if let Err(error) = become_user(&args) {
        return report(&fault, Step::Identity, &error);
    }
    // `run` takes them from a signalfd; what came meanwhile is delivered now.
    if let Err(errno) = FORWARDED.into_iter().collect::<SigSet>().thread_unblock() {
        return report(&fault, Step::Identity, &errno.into());
    }
    // What this process did so far is not the command's doing; from the next byte on it is.
    if (&fault).write_all(&[READY]).is_err() || go.read_exact(&mut [0]).is_err() {
        // `run` is gone: nothing would watch the command.
        return ExitCode::from(125);
    }
    drop(go);
    // std resets SIGPIPE, which Rust ignores, and searches PATH as execvp(3) does.
    let error = Command::new(&args.command[0])
        .args(&args.command[1..])
        .exec();
    report(&fault, Step::Exec, &error)
}

fn become_user(args: &LaunchArgs) -> io::Result<()> {
    let (Some(uid), Some(gid), Some(user)) = (args.uid, args.gid, &args.user) else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    initgroups(&CString::new(user.as_bytes())?, gid)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    Ok(())
}

/// A network namespace with nothing in it; who is not root gets one inside a user namespace.
fn leave_network() -> io::Result<()> {
    let (uid, gid) = (getuid(), getgid());
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_pipe() {
        let (file, path) = tempfile::NamedTempFile::new().unwrap().into_parts();
        report(&file, Step::Exec, &io::Error::from_raw_os_error(2));
        assert_eq!(
            Step::read(&std::fs::read(&path).unwrap()),
            Some((Step::Exec, 2))
        );
        assert_eq!(Step::read(b""), None);
        assert_eq!(Step::read(b"zz"), None);
    }
}
