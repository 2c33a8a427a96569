//! Signals that go on to the command.
//!
//! They are taken from a signalfd, which, unlike a handler, leaves a signal that the caller ignores
//! (nohup) ignored for the command too, and says who sent it: what a terminal sends has reached the
//! command already, since it is in the same process group, and is not sent twice.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::sync::mpsc;

/// Sent by the kernel, not by a process (asm-generic/siginfo.h, SI_KERNEL).
const FROM_KERNEL: i32 = 0x80;

/// They ask a command to end.
pub(crate) const FORWARDED: [Signal; 4] = [
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

/// The signals that come, in order.
#[derive(Debug)]
pub(crate) struct Signals(mpsc::UnboundedReceiver<Received>);

impl Signals {
    /// Blocks them for this thread and those it will make, and reads them in a thread of their own,
    /// which ends with the process.
    pub(crate) fn take() -> io::Result<Self> {
        let set: SigSet = FORWARDED.into_iter().collect();
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || while read(&fd).is_none_or(|one| sender.send(one).is_ok()) {})?;
        Ok(Self(receiver))
    }

    /// The next one. Can be cancelled.
    pub(crate) async fn next(&mut self) -> Received {
        match self.0.recv().await {
            Some(received) => received,
            None => std::future::pending().await,
        }
    }
}

fn read(fd: &SignalFd) -> Option<Received> {
    let info = fd.read_signal().ok()??;
    let number = i32::try_from(info.ssi_signo).ok()?;
    Some(Received {
        signal: Signal::try_from(number).ok()?,
        from_terminal: info.ssi_code == FROM_KERNEL,
    })
}
