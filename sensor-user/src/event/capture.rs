//! Captures: recorded events, one JSON object a line, after a header line.
//!
//! What a capture holds has been redacted already. Reading it back gives the same events in the same
//! order, so that a replay raises the same alerts. A capture whose writer was killed ends in half a
//! line: everything before it is good and is used.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::Event;

/// The format this version writes and reads.
pub const SCHEMA: &str = "pkgwarden.capture/1";
const FAMILY: &str = "pkgwarden.capture/";
/// No event is longer; a longer line is not one of ours.
const LONGEST_LINE: usize = 16 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    schema: String,
}

/// Why a capture can't be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Reading or writing failed.
    #[error("line {line}: the capture can't be read: {source}")]
    Io {
        /// Counted from 1.
        line: usize,
        /// What the system said.
        source: io::Error,
    },
    /// No header.
    #[error(
        "this is no capture: the first line is not a header like {{\"schema\":\"{SCHEMA}\"}}; \
         captures are made with --record FILE"
    )]
    Foreign,
    /// Nothing at all.
    #[error("the capture is empty: the recording ended before its first line was written")]
    Empty,
    /// A later format.
    #[error(
        "the capture has the format {found}, this version reads {SCHEMA}; replay it with the \
         version that recorded it, or a later one"
    )]
    Version {
        /// What its header says.
        found: String,
    },
    /// The last line is incomplete.
    #[error(
        "line {line}: the capture is torn, its last line ends in the middle ({bytes} bytes of it \
         are there); all {events} events before it were used"
    )]
    Torn {
        /// Counted from 1.
        line: usize,
        /// Length of what is there.
        bytes: usize,
        /// How many events came before.
        events: u64,
    },
    /// A line in the middle is no event.
    #[error("line {line}: not an event: {reason}; the {events} events before it were used")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Where in the line and why.
        reason: String,
        /// How many events came before.
        events: u64,
    },
}

/// Writes events after a header.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    pub fn new(mut out: W) -> io::Result<Self> {
        let header = Header {
            schema: SCHEMA.to_owned(),
        };
        serde_json::to_writer(&mut out, &header)?;
        out.write_all(b"\n")?;
        Ok(Self { out })
    }

    /// Appends one event as one line. Not flushed: see [`Self::flush`].
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        // One write a line: a reader that follows the file sees no half lines from us.
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.out.write_all(&line)
    }

    /// Hands everything written to the system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What is written to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Reads events back, in order. After the first error it ends.
#[derive(Debug)]
pub struct Reader<R: BufRead> {
    input: R,
    line: usize,
    events: u64,
    ended: bool,
    buffer: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Reads and checks the header.
    pub fn new(input: R) -> Result<Self, CaptureError> {
        let mut reader = Self {
            input,
            line: 0,
            events: 0,
            ended: false,
            buffer: Vec::new(),
        };
        if !reader.next_line()? {
            return Err(CaptureError::Empty);
        }
        let header: Header =
            serde_json::from_slice(&reader.buffer).map_err(|_| CaptureError::Foreign)?;
        if header.schema == SCHEMA {
            Ok(reader)
        } else if header.schema.starts_with(FAMILY) {
            Err(CaptureError::Version {
                found: header.schema,
            })
        } else {
            Err(CaptureError::Foreign)
        }
    }

    /// Whether there is a line; it is in `buffer`, with its end.
    fn next_line(&mut self) -> Result<bool, CaptureError> {
        self.buffer.clear();
        self.line += 1;
        let mut limited = io::Read::take(&mut self.input, LONGEST_LINE as u64);
        let read = limited
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| CaptureError::Io {
                line: self.line,
                source,
            })?;
        Ok(read > 0)
    }

    fn read(&mut self) -> Result<Option<Event>, CaptureError> {
        loop {
            if !self.next_line()? {
                return Ok(None);
            }
            let whole = self.buffer.ends_with(b"\n");
            if whole && self.buffer.trim_ascii().is_empty() {
                continue;
            }
            return match super::from_line(&self.buffer) {
                Ok(event) => {
                    self.events += 1;
                    Ok(Some(event))
                }
                Err(_) if !whole && self.buffer.len() < LONGEST_LINE => Err(CaptureError::Torn {
                    line: self.line,
                    bytes: self.buffer.len(),
                    events: self.events,
                }),
                Err(error) => Err(CaptureError::Line {
                    line: self.line,
                    reason: error.to_string(),
                    events: self.events,
                }),
            };
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Event, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests;
