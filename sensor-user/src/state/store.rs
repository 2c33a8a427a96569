//! The one writer of the log.
//!
//! A batch is one write(2), all or nothing: what a full disk cut off is taken back. What a crash cut
//! off is taken back when the store is opened again, so at most the batch being written is lost, and
//! of that only what did not reach the file.

use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Entry;
use super::error::{StoreError, Trouble};
use super::folder::Folder;
use super::line::{FORMAT, HEADER_BYTES, Header, LINE_BYTES, encode, encode_entry};
use super::recover::{self, Recovered};
use super::segment;

const LOCK: &str = "lock";

/// The smallest log: one alert of the largest size fits in half of it.
const LEAST_BYTES: u64 = 1 << 20;

/// A log is made of about this many segments: so much of it goes at once when it is full.
const SEGMENTS: u64 = 16;

/// Larger ones would make a long read at every start.
const LARGEST_SEGMENT: u64 = 8 << 20;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of all segments together; at least 1 MiB.
    pub max_bytes: u64,
    /// Of an entry. It goes with its segment, so up to a thirtieth later.
    pub max_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            max_age: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl Limits {
    fn at_least(self) -> Self {
        Self {
            max_bytes: self.max_bytes.max(LEAST_BYTES),
            ..self
        }
    }
}

/// A segment that is not written any more.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) number: u64,
    pub(super) bytes: u64,
    /// When it was last written, CLOCK_REALTIME in nanoseconds.
    pub(super) written: i64,
}

/// The segment that is written.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) number: u64,
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) begun: i64,
    /// When it was last written.
    pub(super) written: i64,
}

/// The log, and the right to write it.
#[derive(Debug)]
pub struct Store {
    folder: Folder,
    limits: Limits,
    /// Oldest first.
    closed: VecDeque<Closed>,
    active: Option<Active>,
    next: u64,
    /// The latest time of an entry.
    latest: Option<i64>,
    /// Written and not known to be on the disk.
    unsynced: Vec<File>,
    /// Segments were made or removed since the folder was synced.
    folder_changed: bool,
    /// flock(2): given back when the process ends, however it ends.
    lock: File,
}

impl Store {
    /// Opens the log in `dir`, or begins one. What was wrong with it and is mended or left out is
    /// told beside it.
    pub fn open(dir: &Path, limits: Limits) -> Result<(Self, Vec<Trouble>), StoreError> {
        let (folder, trouble) = Folder::claim(dir)?;
        let lock = lock(&folder)?;
        let mut troubles: Vec<Trouble> = trouble.into_iter().collect();
        let Recovered {
            closed,
            active,
            next,
            latest,
        } = recover::recover(&folder, &mut troubles)?;
        let mut store = Self {
            folder,
            limits: limits.at_least(),
            closed,
            active,
            next,
            latest,
            unsynced: Vec::new(),
            folder_changed: true,
            lock,
        };
        store.expire();
        Ok((store, troubles))
    }

    /// Keeps so much from now on.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits.at_least();
        self.expire();
    }

    /// Its folder, for the daemon's other files.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Of all segments together.
    pub fn bytes(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(|segment| segment.bytes).sum();
        closed + self.active.as_ref().map_or(0, |active| active.bytes)
    }

    /// Adds entries, oldest first, with one write. On an error none of them is kept, and the next
    /// call may work again.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.append_at(entries, now())
    }

    fn append_at(&mut self, entries: &[Entry], now: i64) -> Result<(), StoreError> {
        let mut lines = Vec::new();
        let mut longest = 0;
        for entry in entries {
            let before = lines.len();
            encode_entry(entry, &mut lines);
            longest = longest.max(lines.len() - before);
        }
        let bytes = lines.len() as u64;
        let most = self.limits.max_bytes / 2;
        // A longer line would be taken for a damaged one.
        if bytes > most || longest > LINE_BYTES {
            return Err(StoreError::TooLarge { bytes, most });
        }
        if bytes == 0 {
            return Ok(());
        }
        self.roll(bytes, now);
        self.make_room(bytes + HEADER_BYTES);
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.begin(now)?,
        };
        let written = write_whole(&active.file, active.bytes, &lines);
        let path = self.folder.path_of(&segment::name(active.number));
        match written {
            Ok(()) => {
                active.bytes += bytes;
                active.written = now;
                self.active = Some(active);
                self.latest = self.latest.max(entries.iter().map(|entry| entry.at).max());
                Ok(())
            }
            Err(Unwritten { source, whole }) => {
                // Where the part could not be taken back it stays as a damaged line, and the log
                // goes on in another segment.
                if whole {
                    self.active = Some(active);
                } else {
                    self.close(active);
                }
                Err(StoreError::new(&path, source))
            }
        }
    }

    /// Waits until everything that was appended is on the disk. May take long: not for the thread
    /// that reads the rings.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        let path = self.folder.path().to_owned();
        let mut first = None;
        for file in self.unsynced.drain(..) {
            first = first.or(file.sync_data().err());
        }
        if let Some(active) = &self.active
            && let Err(error) = active.file.sync_data()
        {
            first = first.or(Some(error));
            // The kernel forgets what it could not write, and the next fdatasync succeeds: nothing
            // more is put behind a hole (fsync(2), "Errors").
            if let Some(active) = self.active.take() {
                self.close(active);
                self.unsynced.clear();
            }
        }
        if std::mem::take(&mut self.folder_changed) {
            first = first.or(self.folder.sync().err());
        }
        match first {
            None => Ok(()),
            Some(error) => Err(StoreError::new(&path, error)),
        }
    }

    /// Drops what is too old. [`Self::append`] does so too; a quiet daemon calls this once an hour.
    pub fn expire(&mut self) {
        self.expire_at(now());
    }

    fn expire_at(&mut self, now: i64) {
        let oldest = now.saturating_sub(nanoseconds(self.limits.max_age));
        if let Some(active) = &self.active
            && active.written < oldest
            && let Some(active) = self.active.take()
        {
            self.close(active);
        }
        while let Some(segment) = self.closed.front()
            && segment.written < oldest
        {
            self.drop_oldest();
        }
        self.make_room(0);
    }

    /// Ends the active segment if `bytes` more would be too many for it, or if it is a thirtieth of
    /// the age that is kept: a quiet host's segment would otherwise outlive it.
    fn roll(&mut self, bytes: u64, now: i64) {
        let largest = (self.limits.max_bytes / SEGMENTS).min(LARGEST_SEGMENT);
        let longest = nanoseconds(self.limits.max_age) / 30;
        let over = |active: &Active| {
            active.bytes + bytes > largest || now.saturating_sub(active.begun) > longest
        };
        if self.active.as_ref().is_some_and(over)
            && let Some(active) = self.active.take()
        {
            self.close(active);
            self.expire_at(now);
        }
    }

    fn close(&mut self, active: Active) {
        self.closed.push_back(Closed {
            number: active.number,
            bytes: active.file.metadata().map_or(active.bytes, |m| m.len()),
            written: active.written,
        });
        self.unsynced.push(active.file);
    }

    fn make_room(&mut self, bytes: u64) {
        while self.bytes() + bytes > self.limits.max_bytes && !self.closed.is_empty() {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(segment) = self.closed.pop_front() {
            // One that can't be removed is found again at the next start.
            let _ = self.folder.remove(&segment::name(segment.number));
            self.folder_changed = true;
        }
    }

    fn begin(&mut self, now: i64) -> Result<Active, StoreError> {
        let number = self.next;
        let name = segment::name(number);
        let failed = |source: io::Error| StoreError::new(&self.folder.path_of(&name), source);
        let header = Header {
            format: FORMAT.to_owned(),
            begun: now,
            latest: self.latest,
        };
        let json = serde_json::to_string(&header).map_err(|error| failed(error.into()))?;
        let mut line = Vec::new();
        encode(&json, &mut line);
        let file = self.folder.create(&name).map_err(failed)?;
        if let Err(Unwritten { source, .. }) = write_whole(&file, 0, &line) {
            let error = failed(source);
            let _ = self.folder.remove(&name);
            return Err(error);
        }
        self.next += 1;
        self.folder_changed = true;
        Ok(Active {
            number,
            file,
            bytes: line.len() as u64,
            begun: now,
            written: now,
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Closing is not enough: a child that this process is just starting has the file open too,
        // until its exec.
        let _ = self.lock.unlock();
    }
}

/// A write that failed.
struct Unwritten {
    source: io::Error,
    /// The file is as it was before.
    whole: bool,
}

/// Writes at `end`, where the file ends: one call as long as the kernel takes it all.
fn write_whole(file: &File, end: u64, bytes: &[u8]) -> Result<(), Unwritten> {
    file.write_all_at(bytes, end).map_err(|source| Unwritten {
        source,
        whole: file.set_len(end).is_ok(),
    })
}

fn lock(folder: &Folder) -> Result<File, StoreError> {
    let failed = |source: io::Error| StoreError::new(&folder.path_of(LOCK), source);
    let mut file = folder.write(LOCK).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // It is only for the message.
            let _ = (&file).take(16).read_to_string(&mut holder);
            return Err(StoreError::Busy {
                path: folder.path().to_owned(),
                holder: holder.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let _ = file.set_len(0);
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

/// CLOCK_REALTIME in nanoseconds.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, nanoseconds)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// When a file was last written.
pub(super) fn written(file: &File) -> i64 {
    file.metadata().map_or(0, |metadata| {
        metadata
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(metadata.mtime_nsec())
    })
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
