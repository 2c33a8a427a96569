//! Opening a log that was written before, perhaps by a daemon that was killed or by a later one.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use nix::errno::Errno;

use super::Entry;
use super::error::{StoreError, Trouble};
use super::folder::Folder;
use super::line::{self, First, HEADER_BYTES, Header};
use super::segment;
use super::store::{Active, Closed, written};

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// Oldest first.
    pub(super) closed: VecDeque<Closed>,
    /// The last one, where it can be continued.
    pub(super) active: Option<Active>,
    /// The number of the next segment.
    pub(super) next: u64,
    /// The latest time of an entry.
    pub(super) latest: Option<i64>,
}

/// A segment that was looked into.
enum Found {
    /// Whole up to `bytes`.
    Ours { header: Header, bytes: u64 },
    /// Not to be written to.
    Other,
    /// It was begun, and its first line not finished: nothing was in it, and it is gone.
    Unbegun,
}

/// Reads as many segments as it takes, from the last one back, to know where to go on.
pub(super) fn recover(
    folder: &Folder,
    troubles: &mut Vec<Trouble>,
) -> Result<Recovered, StoreError> {
    let numbers = segment::list(folder).map_err(|error| StoreError::new(folder.path(), error))?;
    let mut recovered = Recovered {
        next: numbers.last().map_or(1, |last| last + 1),
        ..Recovered::default()
    };
    // Until a header says how late the entries before it are.
    let mut latest_known = false;
    let mut is_last = true;
    for &number in numbers.iter().rev() {
        let name = segment::name(number);
        let file = match folder.write(&name) {
            Ok(file) => file,
            Err(error) => {
                troubles.push(refused(name, &error));
                is_last = false;
                continue;
            }
        };
        let failed = |error: io::Error| StoreError::new(&folder.path_of(&name), error);
        let mut active = None;
        if !latest_known {
            match recovered.look(folder, &file, &name, is_last, troubles) {
                Ok(Found::Ours { header, bytes }) => {
                    latest_known = true;
                    active = is_last.then_some((header, bytes));
                }
                Ok(Found::Other) => {}
                Ok(Found::Unbegun) => {
                    recovered.next = number;
                    continue;
                }
                Err(error) => return Err(failed(error)),
            }
        }
        is_last = false;
        let bytes = file.metadata().map_err(failed)?.len();
        let written = written(&file);
        match active {
            Some((header, bytes)) => {
                recovered.active = Some(Active {
                    number,
                    file,
                    bytes,
                    begun: header.begun,
                    written,
                });
            }
            None => recovered.closed.push_front(Closed {
                number,
                bytes,
                written,
            }),
        }
    }
    Ok(recovered)
}

impl Recovered {
    fn look(
        &mut self,
        folder: &Folder,
        file: &File,
        name: &str,
        is_last: bool,
        troubles: &mut Vec<Trouble>,
    ) -> io::Result<Found> {
        let segment = name.to_owned();
        let size = file.metadata()?.len();
        let first = match segment::first_line(file)? {
            Some(line) => line::first(&line),
            None if is_last && size < HEADER_BYTES => {
                folder.remove(name)?;
                let bytes = size;
                troubles.push(Trouble::TornTail { segment, bytes });
                return Ok(Found::Unbegun);
            }
            None => First::Damaged,
        };
        let header = match first {
            First::Ours(header) => Some(header),
            First::Damaged => None,
            First::Future(format) => {
                // Who looks for what is as late must come by here, and be told.
                self.latest = self.latest.max(Some(written(file)));
                troubles.push(Trouble::Future { segment, format });
                return Ok(Found::Other);
            }
        };
        let whole = self.entries(file)?;
        if whole.damaged > 0 {
            self.latest = self.latest.max(Some(written(file)));
            let (segment, lines) = (segment.clone(), whole.damaged);
            troubles.push(Trouble::Damaged { segment, lines });
        }
        let Some(header) = header else {
            troubles.push(Trouble::Header { segment });
            return Ok(Found::Other);
        };
        self.latest = self.latest.max(header.latest);
        if is_last && whole.end < size {
            file.set_len(whole.end)?;
            let bytes = size - whole.end;
            troubles.push(Trouble::TornTail { segment, bytes });
        }
        Ok(Found::Ours {
            header,
            bytes: whole.end,
        })
    }

    /// Learns the latest time of the entries after the first line.
    fn entries(&mut self, file: &File) -> io::Result<Whole> {
        let mut is_first = true;
        let mut damaged = 0;
        let end = segment::forward(file, 0, |line| {
            if std::mem::take(&mut is_first) {
                return;
            }
            match line.and_then(line::decode).and_then(time_of) {
                Some(at) => self.latest = self.latest.max(Some(at)),
                None => damaged += 1,
            }
        })?;
        Ok(Whole { end, damaged })
    }
}

/// The whole lines of a segment.
struct Whole {
    /// Where the last one ends.
    end: u64,
    damaged: u64,
}

fn time_of(json: &[u8]) -> Option<i64> {
    match line::head(json) {
        Some(head) => Some(head.at),
        None => Some(serde_json::from_slice::<Entry>(json).ok()?.at),
    }
}

fn refused(segment: String, error: &io::Error) -> Trouble {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP | Errno::EPERM | Errno::EISDIR | Errno::ENXIO) | None => {
            Trouble::Foreign { name: segment }
        }
        Some(_) => Trouble::Unusable {
            segment,
            problem: error.to_string(),
        },
    }
}
