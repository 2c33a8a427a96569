//! One JSON object a line into a file that was opened, and is held, before the watched command
//! starts.

use std::fs::File;
use std::io::{self, Write};

use super::{Record, SinkError};
use crate::alert::escape;

/// A file, pipe or terminal that gets whole lines.
#[derive(Debug)]
pub struct Ndjson<W = File> {
    out: W,
    output: String,
    lost: u64,
    told: bool,
    /// The last line was cut off by a failed write.
    torn: bool,
}

impl<W: Write> Ndjson<W> {
    /// `output` is what the user called it; it stands in messages. A file must have been opened
    /// for appending, so that two writers do not overwrite each other.
    pub fn new(out: W, output: impl Into<String>) -> Self {
        Self {
            out,
            output: escape::terminal(&output.into()),
            lost: 0,
            told: false,
            torn: false,
        }
    }

    /// Writes one line. The first failure is given back, to be reported; later ones are counted
    /// in [`Self::lost`] until the output is replaced.
    #[must_use = "the first failure must be reported"]
    pub fn write(&mut self, record: Record<'_>) -> Option<SinkError> {
        let mut line = Vec::new();
        // Ends what a full disk cut off, so that only that one line is unreadable.
        if self.torn {
            line.push(b'\n');
        }
        line.extend_from_slice(record.json().as_bytes());
        line.push(b'\n');
        match self.write_line(&line) {
            Ok(()) => {
                self.torn = false;
                self.told = false;
                None
            }
            Err(error) => {
                self.lost += 1;
                (!std::mem::replace(&mut self.told, true)).then(|| self.explain(error))
            }
        }
    }

    /// Goes on in another file: after a log was rotated.
    pub fn reopen(&mut self, out: W) {
        self.out = out;
        self.told = false;
        self.torn = false;
    }

    /// Records that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// One write(2) as long as the kernel takes it all, which for a line on a file it does unless
    /// the disk is full.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let mut rest = line;
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    rest = &rest[n..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }

    fn explain(&self, source: io::Error) -> SinkError {
        let output = self.output.clone();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SinkError::Full { output },
            _ => SinkError::Write { output, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use crate::alert::sample;
    use crate::alert::schema::Alert;

    /// Takes so many bytes, then is full.
    struct Disk {
        written: Vec<u8>,
        room: usize,
        writes: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= taken;
            self.written.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn disk(room: usize) -> Ndjson<Disk> {
        let disk = Disk {
            written: vec![],
            room,
            writes: 0,
        };
        Ndjson::new(disk, "alerts.ndjson")
    }

    #[test]
    fn a_line_is_one_write_and_one_alert() {
        let alert = sample::postinstall();
        let mut sink = disk(usize::MAX);
        assert!(sink.write(Record::Alert(&alert)).is_none());
        assert_eq!(sink.out.writes, 1);
        let line = sink.out.written.strip_suffix(b"\n").unwrap();
        assert!(!line.contains(&b'\n'));
        assert_eq!(serde_json::from_slice::<Alert>(line).unwrap(), alert);
    }

    #[test]
    fn a_full_disk_is_reported_once_counted_and_survived() {
        let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut sink = Ndjson::new(file, "/dev/full");
        let first = sink.write(Record::Health(&sample::health())).unwrap();
        assert_eq!(
            first.to_string(),
            "no room left for `/dev/full`: alerts are missing there; make room, the next ones will \
             be written"
        );
        assert!(sink.write(Record::Health(&sample::health())).is_none());
        assert_eq!(sink.lost(), 2);
    }

    #[test]
    fn a_line_cut_by_a_full_disk_does_not_spoil_the_next() {
        let mut sink = disk(100);
        assert!(sink.write(Record::Health(&sample::health())).is_some());
        sink.out.room = usize::MAX;
        assert!(sink.write(Record::Health(&sample::health())).is_none());
        let written = String::from_utf8(sink.out.written).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(serde_json::from_str::<crate::health::Health>(lines[1]).is_ok());
    }

    #[test]
    fn a_reader_that_went_away_is_no_panic() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut sink = Ndjson::new(writer, "-");
        assert!(matches!(
            sink.write(Record::Health(&sample::health())),
            Some(SinkError::Write { .. })
        ));
    }

    #[test]
    fn a_hostile_argument_reaches_the_line_only_as_an_escape() {
        let mut alert = sample::postinstall();
        alert.process.args = vec!["##[error]x\n::error::y \u{9b}2J \u{202e}".into()];
        let mut sink = disk(usize::MAX);
        assert!(sink.write(Record::Alert(&alert)).is_none());
        let line = String::from_utf8(sink.out.written).unwrap();
        assert!(
            line.contains(r"#\u0023[error]x\n::error::y \u009b2J \u202e"),
            "{line}"
        );
    }
}
