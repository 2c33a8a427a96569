//! Entries as they are written, oldest first: for who reads the folder and not the daemon's socket.

use std::fs::File;
use std::io;
use std::path::Path;

use super::error::ReadError;
use super::folder::Folder;
use super::line::{self, First};
use super::read::{entry, is_all};
use super::segment;
use super::{Entry, Query};

/// A place in the log.
#[derive(Debug)]
pub struct Follow {
    folder: Folder,
    query: Query,
    /// The segment that is read, once there is one.
    at: Option<Place>,
}

#[derive(Debug)]
struct Place {
    number: u64,
    file: File,
    /// Read up to here.
    end: u64,
}

impl Follow {
    /// From now on; with [`Query::since`] from then on.
    pub fn new(dir: &Path, query: Query) -> Result<Self, ReadError> {
        let failed = |error: io::Error| ReadError::new(dir, error);
        let folder = Folder::open(dir)?;
        let numbers = segment::list(&folder).map_err(failed)?;
        let mut at = None;
        for &number in numbers.iter().rev() {
            let Ok(file) = folder.read(&segment::name(number)) else {
                continue;
            };
            let end = match query.since {
                Some(_) => 0,
                None => segment::forward(&file, 0, |_| {}).map_err(failed)?,
            };
            let first = segment::first_line(&file).map_err(failed)?;
            let is_first = match first.map(|first| line::first(&first)) {
                Some(First::Ours(header)) => is_all(&header, &query),
                _ => false,
            };
            at = Some(Place { number, file, end });
            if is_first || query.since.is_none() {
                break;
            }
        }
        Ok(Self { folder, query, at })
    }

    /// What was written since the last call.
    pub fn poll(&mut self, mut each: impl FnMut(Entry)) -> Result<(), ReadError> {
        let failed = |folder: &Folder, error: io::Error| ReadError::new(folder.path(), error);
        // Listed before the segment is read to its end: one with a successor is not written any more.
        let numbers = segment::list(&self.folder).map_err(|error| failed(&self.folder, error))?;
        if let Some(place) = &mut self.at {
            place
                .go_on(&self.query, &mut each)
                .map_err(|error| failed(&self.folder, error))?;
        }
        let current = self.at.as_ref().map_or(0, |place| place.number);
        for number in numbers.into_iter().filter(|&number| number > current) {
            let Ok(file) = self.folder.read(&segment::name(number)) else {
                continue;
            };
            let mut place = Place {
                number,
                file,
                end: 0,
            };
            place
                .go_on(&self.query, &mut each)
                .map_err(|error| failed(&self.folder, error))?;
            self.at = Some(place);
        }
        Ok(())
    }
}

impl Place {
    fn go_on(&mut self, query: &Query, each: &mut impl FnMut(Entry)) -> io::Result<()> {
        // A write that failed was taken back.
        self.end = self.end.min(self.file.metadata()?.len());
        self.end = segment::forward(&self.file, self.end, |line| {
            // First lines, damaged ones and those of later versions are no entries; `read` tells.
            if let Some(Ok(Some(entry))) = line.map(|line| entry(line, query)) {
                each(entry);
            }
        })?;
        Ok(())
    }
}
