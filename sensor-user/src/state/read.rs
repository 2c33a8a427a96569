//! Reading the log, newest first, without a lock: the daemon may write meanwhile.
//!
//! A reader that finds a segment gone, or a write in progress, sees the log as it was a moment ago.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;

use super::error::{ReadError, Trouble, Troubles};
use super::folder::Folder;
use super::line::{self, First, Header};
use super::segment::{self, Backward, Line};
use super::{Entry, Query};

/// All that the query wants, newest first.
pub fn read(dir: &Path, query: &Query) -> Result<(Vec<Entry>, Troubles), ReadError> {
    let mut entries = Vec::new();
    let troubles = scan(dir, query, |entry| {
        entries.push(entry);
        ControlFlow::Continue(())
    })?;
    Ok((entries, troubles))
}

/// Gives each entry that the query wants, newest first, until `each` has enough. Holds one entry at a
/// time.
pub fn scan(
    dir: &Path,
    query: &Query,
    mut each: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<Troubles, ReadError> {
    let folder = Folder::open(dir)?;
    let numbers = segment::list(&folder).map_err(|error| ReadError::new(dir, error))?;
    let mut troubles = Troubles::new();
    let mut reached = Reached::default();
    for &number in numbers.iter().rev() {
        let name = segment::name(number);
        let file = match folder.read(&name) {
            Ok(file) => file,
            // Dropped meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                troubles.push(unusable(name, &error));
                continue;
            }
        };
        let going_on = reached
            .segment(file, &name, query, &mut each, &mut troubles)
            .unwrap_or_else(|error| {
                troubles.push(unusable(name, &error));
                ControlFlow::Continue(())
            });
        if going_on.is_break() {
            return Ok(troubles);
        }
    }
    // Asked for a time before the oldest segment, and there were entries of that time once.
    if let (Some(header), Some(_)) = (reached.header, query.since) {
        let begun = Timestamp::from_nanosecond(header.begun.into()).unwrap_or_default();
        troubles.push(Trouble::Dropped {
            begun: format!("{begun:.0}"),
        });
    }
    Ok(troubles)
}

/// How far back the reading has come.
#[derive(Default)]
struct Reached {
    /// Of the oldest segment so far.
    header: Option<Header>,
}

impl Reached {
    fn segment(
        &mut self,
        file: File,
        name: &str,
        query: &Query,
        each: &mut impl FnMut(Entry) -> ControlFlow<()>,
        troubles: &mut Troubles,
    ) -> io::Result<ControlFlow<()>> {
        let Some(first) = segment::first_line(&file)? else {
            // Being begun.
            return Ok(ControlFlow::Continue(()));
        };
        let segment = || name.to_owned();
        let header = match line::first(&first) {
            First::Ours(header) => Some(header),
            First::Damaged => {
                troubles.push(Trouble::Header { segment: segment() });
                None
            }
            First::Future(format) => {
                troubles.push(Trouble::Future {
                    segment: segment(),
                    format,
                });
                return Ok(ControlFlow::Continue(()));
            }
        };
        let mut lines = Backward::new(file)?;
        let mut damaged = 0;
        let mut going_on = ControlFlow::Continue(());
        while let Some(line) = lines.next()? {
            let line = match line {
                // The first one.
                Line::Whole(line) if line == first => continue,
                Line::Whole(line) => line,
                Line::TooLong => b"",
            };
            match entry(line, query) {
                Ok(Some(entry)) => going_on = each(entry),
                Ok(None) => {}
                Err(Damaged) => damaged += 1,
            }
            if going_on.is_break() {
                break;
            }
        }
        if damaged > 0 {
            troubles.push(Trouble::Damaged {
                segment: segment(),
                lines: damaged,
            });
        }
        let nothing_before = header.as_ref().is_some_and(|header| is_all(header, query));
        if nothing_before {
            return Ok(ControlFlow::Break(()));
        }
        self.header = header;
        Ok(going_on)
    }
}

/// No segment before this one has what is wanted.
pub(super) fn is_all(header: &Header, query: &Query) -> bool {
    match (header.latest, query.since) {
        (None, _) => true,
        (Some(latest), Some(since)) => latest < since,
        (Some(_), None) => false,
    }
}

/// A line with a wrong checksum or shape.
#[derive(Debug)]
pub(super) struct Damaged;

/// The entry of a line, if it is wanted. Most lines are told from their beginning, and by what they
/// would have to hold.
pub(super) fn entry(line: &[u8], query: &Query) -> Result<Option<Entry>, Damaged> {
    let json = line::decode(line).ok_or(Damaged)?;
    if let Some(head) = line::head(json) {
        if !query.wants_head(&head) {
            return Ok(None);
        }
        let text = str::from_utf8(json).map_err(|_| Damaged)?;
        let needles = query.needles(head.kind);
        if !needles.iter().all(|needle| text.contains(needle)) {
            return Ok(None);
        }
    }
    let entry: Entry = serde_json::from_slice(json).map_err(|_| Damaged)?;
    Ok(query.wants(&entry).then_some(entry))
}

fn unusable(segment: String, error: &io::Error) -> Trouble {
    Trouble::Unusable {
        segment,
        problem: error.to_string(),
    }
}
