//! `--record`: what is handled, also into a capture. A capture that can't be written ends; the watch goes
//! on.

use std::fs::File;
use std::io::{self, BufWriter};
use std::time::Duration;

use crate::event::{Event, capture};
use crate::sink::Lane;

/// What may wait for the disk: a second of all that a machine can do.
const WAITING: usize = 64 << 20;
/// Written at once.
const BUFFER: usize = 1 << 18;

/// A capture that is being made, or none.
#[derive(Debug, Default)]
pub(super) struct Recording(Option<capture::Writer<BufWriter<Lane>>>);

/// Why a capture ended.
#[derive(Debug, thiserror::Error)]
#[error("the capture can't be written: {0}; it ends here, the watch goes on")]
pub(super) struct Ended(#[from] io::Error);

impl Recording {
    /// Records into this file.
    pub(super) fn to(file: File) -> Result<Self, Ended> {
        let out = BufWriter::with_capacity(BUFFER, Lane::start(file, WAITING)?);
        Ok(Self(Some(capture::Writer::new(out)?)))
    }

    pub(super) fn write(&mut self, event: &Event) -> Result<(), Ended> {
        self.unless_it_fails(|capture| capture.write(event))
    }

    /// Hands on what was recorded so far.
    pub(super) fn flush(&mut self) -> Result<(), Ended> {
        self.unless_it_fails(|capture| {
            capture.flush()?;
            capture.get_ref().get_ref().check()
        })
    }

    fn unless_it_fails(
        &mut self,
        act: impl FnOnce(&mut capture::Writer<BufWriter<Lane>>) -> io::Result<()>,
    ) -> Result<(), Ended> {
        let outcome = self.0.as_mut().map_or(Ok(()), act);
        if outcome.is_err() {
            self.0 = None;
        }
        Ok(outcome?)
    }

    /// Gives what waits so much time to be written.
    pub(super) async fn close(mut self, patience: Duration) -> Result<(), Ended> {
        self.flush()?;
        if let Some(capture) = &mut self.0
            && capture.get_ref().get_ref().settle(patience).await > 0
        {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        // What went wrong meanwhile.
        self.flush()
    }
}
