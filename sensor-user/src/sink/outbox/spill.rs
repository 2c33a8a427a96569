//! Entries that wait on disk: a bounded row of files, the oldest sent first.
//!
//! Everything here blocks; only the outbox's own thread calls it.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::segment::{self, Found, Next};

const SUFFIX: &str = "spill";
/// Into how many files the bound is divided: room comes back a file at a time.
const PARTS: u64 = 16;
/// Read back at once, about.
const CHUNK: u64 = 256 << 10;

/// A place between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    segment: u64,
    offset: u64,
}

/// What waits on disk and was not read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// Why entries were not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error("its {0} bytes are used up")]
    Full(u64),
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// What was found at the start.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// Records that are unreadable.
    pub(super) damaged: u64,
    /// Files that are not ours; they are left alone.
    pub(super) foreign: Vec<PathBuf>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    file: File,
    /// Where reading goes on, and the records from there.
    at: u64,
    end: u64,
    records: u64,
    /// Behind the last record that was read back.
    given: u64,
}

/// The files.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    limit: u64,
    segments: VecDeque<Segment>,
    next: u64,
    /// The last of `segments` may be written to: it is of this start, and whole.
    writes: bool,
}

impl Spill {
    /// Opens the folder, or makes it, and looks at what waits there.
    pub(super) fn open(folder: &Path, limit: u64) -> io::Result<(Self, Opened)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let mut spill = Self {
            folder: folder.to_owned(),
            limit,
            segments: VecDeque::new(),
            next: 0,
            writes: false,
        };
        let mut opened = Opened::default();
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|suffix| suffix == SUFFIX) {
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                match stem.and_then(|stem| stem.parse().ok()) {
                    Some(number) => numbers.push(number),
                    None => opened.foreign.push(path),
                }
            }
        }
        numbers.sort_unstable();
        for number in numbers {
            spill.next = spill.next.max(number + 1);
            spill.look_at(number, &mut opened);
        }
        Ok((spill, opened))
    }

    fn look_at(&mut self, number: u64, opened: &mut Opened) {
        let path = self.path(number);
        let (file, at) = match segment::open(&path) {
            Ok(Found::Segment(file, at)) => (file, at),
            Ok(Found::Stub) => return drop(fs::remove_file(path)),
            Ok(Found::Foreign) | Err(_) => return opened.foreign.push(path),
        };
        let end = file.metadata().map_or(at, |metadata| metadata.len());
        let (mut records, mut place) = (0, at);
        loop {
            match segment::read(&file, place, end) {
                Ok(Next::Record(_, after)) => (records, place) = (records + 1, after),
                Ok(Next::Damaged(after)) => {
                    opened.damaged += 1;
                    place = after;
                }
                Ok(Next::End) => break,
                Err(_) => {
                    opened.damaged += 1;
                    break;
                }
            }
        }
        if records == 0 {
            return drop(fs::remove_file(path));
        }
        self.segments.push_back(Segment {
            number,
            file,
            at,
            end,
            records,
            given: at,
        });
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:010}.{SUFFIX}"))
    }

    /// What was not read back.
    pub(super) fn stock(&self) -> Stock {
        self.segments
            .iter()
            .fold(Stock::default(), |stock, segment| Stock {
                records: stock.records + segment.records,
                bytes: stock.bytes + (segment.end - segment.at),
            })
    }

    /// Writes entries and syncs; those that are on disk are taken out of `entries`, from the front.
    pub(super) fn keep<T>(
        &mut self,
        entries: &mut VecDeque<T>,
        bytes: fn(&T) -> &[u8],
    ) -> Result<(), KeepError> {
        while !entries.is_empty() {
            let used: u64 = self.segments.iter().map(|segment| segment.end).sum();
            let new = !self.writes || self.segments.is_empty();
            let mut room = self
                .limit
                .saturating_sub(used + if new { segment::HEAD } else { 0 });
            let most = (self.limit / PARTS).max(1);
            let (mut count, mut data) = (0, Vec::new());
            for entry in &*entries {
                let size = segment::size(bytes(entry));
                if size > room || data.len() as u64 >= most {
                    break;
                }
                room -= size;
                segment::frame(bytes(entry), &mut data);
                count += 1;
            }
            if count == 0 {
                return Err(KeepError::Full(self.limit));
            }
            self.append(&data, count as u64, most)?;
            entries.drain(..count);
        }
        Ok(())
    }

    fn append(&mut self, data: &[u8], records: u64, most: u64) -> io::Result<()> {
        if !self.writes || self.segments.is_empty() {
            self.begin()?;
        }
        let Some(segment) = self.segments.back_mut() else {
            return Ok(());
        };
        let written = (&segment.file)
            .write_all(data)
            .and_then(|()| segment.file.sync_data());
        if let Err(error) = written {
            // What was cut off goes, or the next record would stand behind bytes that are none.
            // Where that fails too, the next one begins a file of its own.
            self.writes = segment.file.set_len(segment.end).is_ok() && {
                let mut file = &segment.file;
                io::Seek::seek(&mut file, io::SeekFrom::Start(segment.end)).is_ok()
            };
            return Err(error);
        }
        segment.end += data.len() as u64;
        segment.records += records;
        self.writes = segment.end < most;
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        let number = self.next;
        let path = self.path(number);
        let file = segment::create(&path).inspect_err(|_| drop(fs::remove_file(&path)))?;
        self.next += 1;
        self.writes = true;
        self.segments.push_back(Segment {
            number,
            file,
            at: segment::HEAD,
            end: segment::HEAD,
            records: 0,
            given: segment::HEAD,
        });
        Ok(())
    }

    /// The next entries with the place behind each, and how many were unreadable.
    pub(super) fn read(&mut self) -> (Vec<(Vec<u8>, Mark)>, u64) {
        let (mut entries, mut damaged, mut size) = (Vec::new(), 0, 0);
        for segment in &mut self.segments {
            while segment.records > 0 && size < CHUNK {
                match segment::read(&segment.file, segment.at, segment.end) {
                    Ok(Next::Record(entry, after)) => {
                        size += entry.len() as u64;
                        (segment.at, segment.given) = (after, after);
                        segment.records -= 1;
                        let mark = Mark {
                            segment: segment.number,
                            offset: after,
                        };
                        entries.push((entry, mark));
                    }
                    // Counted when the folder was opened, or written by this very start: then the
                    // disk has changed it, and what it held is gone.
                    Ok(Next::Damaged(after)) if after < segment.end => segment.at = after,
                    Ok(Next::Damaged(_) | Next::End) | Err(_) => {
                        damaged += segment.records;
                        segment.records = 0;
                        segment.at = segment.end;
                    }
                }
            }
        }
        (entries, damaged)
    }

    /// Everything up to there was sent: files before it go, and with the last record the last one.
    pub(super) fn sent(&mut self, mark: Mark) {
        while let Some(first) = self.segments.front() {
            let done = first.number < mark.segment
                || (first.number == mark.segment
                    && first.records == 0
                    && mark.offset >= first.given);
            if !done {
                break;
            }
            let _ = fs::remove_file(self.path(first.number));
            self.segments.pop_front();
        }
        if let Some(first) = self.segments.front()
            && first.number == mark.segment
        {
            // Where that fails a restart sends some again: their ids are the same.
            let _ = segment::write_sent(&first.file, mark.offset);
        }
    }
}

#[cfg(test)]
#[path = "spill_tests.rs"]
mod tests;
