//! A writer on a thread of its own: a disk that hangs, or a pipe that nobody reads, keeps up that
//! thread and never the one that reads the rings.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};
use tokio::sync::Notify;

/// Takes what it is given at once, as long as there is room for it to wait.
///
/// Each call of `write` is one piece, a line as a rule: it is taken whole or not at all. A piece that was
/// cut by a failed write is ended with a line's end before the next one, so that it alone is unreadable.
#[derive(Debug)]
pub struct Lane(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    state: Mutex<State>,
    /// For the thread: there is something to do.
    work: Condvar,
    /// For the other side: something was written, or could not be.
    done: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// In `waiting` and in the piece that is being written.
    bytes: usize,
    pieces: u64,
    lost: u64,
    /// The first one since a write worked, until it was asked for.
    error: Option<io::Error>,
    failing: bool,
    /// There was no room: until half of it is free, or who reads slowly would be told of for each line.
    refusing: bool,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What may wait for a file of alerts.
const ALERTS: usize = 16 << 20;

impl Lane {
    /// Writes alerts to this file, otherwise to standard output.
    pub fn of_alerts(file: Option<File>) -> io::Result<Self> {
        match file {
            Some(file) => Self::start(file, ALERTS),
            None => Self::start(io::stdout(), ALERTS),
        }
    }

    /// Writes to `out`, with at most so many bytes waiting.
    pub fn start(out: impl Write + Send + 'static, most: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            most,
            state: Mutex::default(),
            work: Condvar::new(),
            done: Notify::new(),
        });
        let thread = Arc::clone(&shared);
        // A thread begins with its maker's mask. Signals are for the loop, which may not have taken them
        // yet: one that came to this thread would end the process.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let started = thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || work(&thread, out));
        before.thread_set_mask()?;
        started?;
        Ok(Self(shared))
    }

    /// Returns why a write failed; never, where none does. One that follows a failed one is not told
    /// until one has worked. Can be cancelled.
    pub async fn failed(&self) -> io::Error {
        loop {
            let done = self.0.done.notified();
            if let Some(error) = self.0.lock().error.take() {
                return error;
            }
            done.await;
        }
    }

    /// Why a write failed, if that was not told yet.
    pub fn check(&self) -> io::Result<()> {
        self.0.lock().error.take().map_or(Ok(()), Err)
    }

    /// Waits until all was written, but not longer than this. How many pieces still wait, and are lost if
    /// the process ends now.
    pub async fn settle(&self, patience: Duration) -> u64 {
        let written = async {
            loop {
                let done = self.0.done.notified();
                if self.0.lock().pieces == 0 {
                    return;
                }
                done.await;
            }
        };
        let _ = tokio::time::timeout(patience, written).await;
        self.0.lock().pieces
    }

    /// Pieces that were taken and could not be written.
    pub fn lost(&self) -> u64 {
        self.0.lock().lost
    }
}

impl Write for Lane {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        let room = match state.refusing {
            false => self.0.most,
            true => self.0.most / 2,
        };
        state.refusing = state.bytes + piece.len() > room;
        if state.refusing {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "what was written before still waits to be taken",
            ));
        }
        state.bytes += piece.len();
        state.pieces += 1;
        state.waiting.push_back(piece.to_vec());
        drop(state);
        self.0.work.notify_one();
        Ok(piece.len())
    }

    /// Waits for nothing.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What waits is still written.
impl Drop for Lane {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_one();
    }
}

fn work(shared: &Shared, mut out: impl Write) {
    let mut torn = false;
    while let Some(piece) = next(shared) {
        let outcome = write(&mut out, &piece, &mut torn);
        let mut state = shared.lock();
        state.bytes -= piece.len();
        state.pieces -= 1;
        match outcome {
            Ok(()) => state.failing = false,
            Err(error) => {
                state.lost += 1;
                if !std::mem::replace(&mut state.failing, true) {
                    state.error = Some(error);
                }
            }
        }
        drop(state);
        shared.done.notify_waiters();
    }
}

fn next(shared: &Shared) -> Option<Vec<u8>> {
    let mut state = shared.lock();
    loop {
        if let Some(piece) = state.waiting.pop_front() {
            return Some(piece);
        }
        if state.closed {
            return None;
        }
        state = shared
            .work
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

/// One write(2) as long as the kernel takes it all, which for a line on a file it does unless the
/// disk is full.
fn write(out: &mut impl Write, piece: &[u8], torn: &mut bool) -> io::Result<()> {
    if *torn {
        out.write_all(b"\n")?;
        *torn = false;
    }
    let mut rest = piece;
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                rest = &rest[n..];
                *torn = !rest.is_empty();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(50);

    /// Takes so many bytes, then is full; says each write.
    struct Disk {
        room: Arc<Mutex<usize>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut room = self.room.lock().unwrap();
            let taken = bytes.len().min(*room);
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= taken;
            self.written.send(bytes[..taken].to_vec()).unwrap();
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn disk(room: usize) -> (Lane, Arc<Mutex<usize>>, Receiver<Vec<u8>>) {
        let (sender, written) = channel();
        let room = Arc::new(Mutex::new(room));
        let disk = Disk {
            room: Arc::clone(&room),
            written: sender,
        };
        (Lane::start(disk, 1 << 20).unwrap(), room, written)
    }

    fn full_pipe(most: usize) -> (Lane, PipeReader) {
        let (reader, writer) = pipe().unwrap();
        let mut lane = Lane::start(writer, most).unwrap();
        // More than a pipe holds: the thread hangs in it.
        lane.write_all(&[b'x'; 1 << 17]).unwrap();
        (lane, reader)
    }

    #[tokio::test]
    async fn a_line_is_one_write() {
        let (mut lane, _, written) = disk(usize::MAX);
        lane.write_all(b"one\n").unwrap();
        lane.write_all(b"two\n").unwrap();
        assert_eq!(lane.settle(LONG).await, 0);
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [b"one\n", b"two\n"]);
    }

    #[tokio::test]
    async fn who_writes_is_not_held_up_by_who_does_not_read() {
        let (mut lane, mut reader) = full_pipe(1 << 18);
        lane.write_all(b"line\n").unwrap();
        let error = lane.write_all(&[b'y'; 1 << 17]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(lane.settle(SHORT).await, 2);
        drop(lane);
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert!(all.ends_with(b"xline\n"), "what had been taken is written");
    }

    #[tokio::test]
    async fn a_line_cut_by_a_full_disk_does_not_spoil_the_next() {
        let (mut lane, room, written) = disk(2);
        lane.write_all(b"first\n").unwrap();
        let error = lane.failed().await;
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        *room.lock().unwrap() = usize::MAX;
        lane.write_all(b"second\n").unwrap();
        assert_eq!(lane.settle(LONG).await, 0);
        let all: Vec<u8> = written.try_iter().flatten().collect();
        assert_eq!(all, b"fi\nsecond\n");
    }

    #[tokio::test]
    async fn a_failure_is_told_once_until_a_write_works() {
        let (mut lane, room, _written) = disk(0);
        for _ in 0..3 {
            lane.write_all(b"x\n").unwrap();
        }
        assert_eq!(lane.settle(LONG).await, 0);
        assert!(lane.check().is_err());
        assert!(lane.check().is_ok());
        lane.write_all(b"x\n").unwrap();
        lane.settle(LONG).await;
        assert!(lane.check().is_ok(), "it goes on failing");
        *room.lock().unwrap() = 2;
        lane.write_all(b"x\n").unwrap();
        lane.write_all(b"x\n").unwrap();
        lane.settle(LONG).await;
        assert!(lane.check().is_err(), "it failed anew");
    }

    #[tokio::test]
    async fn a_reader_that_went_away_is_an_error_and_no_end() {
        let (mut lane, reader) = full_pipe(1 << 20);
        drop(reader);
        let error = lane.failed().await;
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(lane.write_all(b"x").is_ok());
    }
}
