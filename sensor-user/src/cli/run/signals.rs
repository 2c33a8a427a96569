//! Signals that go on to the command.
//!
//! They are taken from a signalfd, which, unlike a handler, leaves a signal that the caller ignores
//! (nohup) ignored for the command too, and says who sent it: what a terminal sends has reached the
//! command already, since it is in the same process group, and is not sent twice.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::unix::AsyncFd;

/// Sent by the kernel, not by a process (asm-generic/siginfo.h, SI_KERNEL).
const FROM_KERNEL: i32 = 0x80;

const FORWARDED: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// One that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) signal: Signal,
    /// The command has it already.
    pub(crate) from_terminal: bool,
}

/// The open signalfd.
#[derive(Debug)]
pub(crate) struct Signals(AsyncFd<SignalFd>);

impl Signals {
    /// Blocks them for this thread and those it will make. Needs a running tokio.
    pub(crate) fn take() -> io::Result<Self> {
        let set: SigSet = FORWARDED.into_iter().collect();
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self(AsyncFd::new(fd)?))
    }

    /// The next one. Can be cancelled.
    pub(crate) async fn next(&mut self) -> io::Result<Received> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.get_inner().read_signal() {
                Ok(Some(info)) => {
                    let number = i32::try_from(info.ssi_signo).map_err(io::Error::other)?;
                    return Ok(Received {
                        signal: Signal::try_from(number)?,
                        from_terminal: info.ssi_code == FROM_KERNEL,
                    });
                }
                Ok(None) | Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
