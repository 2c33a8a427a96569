//! One JSON object a line into a file that was opened, and is held, before the watched command
//! starts.

use std::io::{self, Write};
use std::time::Duration;

use super::{Lane, Record, SinkError};
use crate::alert::escape;

/// A file, pipe or terminal that gets whole lines.
#[derive(Debug)]
pub struct Ndjson<W = Lane> {
    out: W,
    output: String,
    lost: u64,
    told: bool,
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
        }
    }

    /// Writes one line. The first failure is given back, to be reported; later ones are only counted
    /// until a line is written again.
    #[must_use = "the first failure must be reported"]
    pub fn write(&mut self, record: Record<'_>) -> Option<SinkError> {
        let mut line = record.json();
        line.push('\n');
        let written = self
            .out
            .write_all(line.as_bytes())
            .and_then(|()| self.out.flush());
        match written {
            Ok(()) => {
                self.told = false;
                None
            }
            Err(error) => {
                self.lost += 1;
                (!std::mem::replace(&mut self.told, true)).then(|| self.explain(error))
            }
        }
    }

    fn explain(&self, source: io::Error) -> SinkError {
        let output = self.output.clone();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SinkError::Full { output },
            io::ErrorKind::WouldBlock => SinkError::Slow { output },
            _ => SinkError::Write { output, source },
        }
    }
}

impl Ndjson<Lane> {
    /// Goes on in another file: after a log was rotated. What waits for the old one is still written.
    pub fn reopen(&mut self, out: Lane) {
        self.lost += self.out.lost();
        self.out = out;
        self.told = false;
    }

    /// Returns when a line that was taken could not be written, and none after it. Can be cancelled.
    pub async fn failed(&mut self) -> SinkError {
        let error = self.out.failed().await;
        self.told = true;
        self.explain(error)
    }

    /// Gives what waits so much time to be written. How many lines are missing there.
    pub async fn close(self, patience: Duration) -> u64 {
        self.lost + self.out.settle(patience).await + self.out.lost()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;
    use crate::alert::sample;
    use crate::alert::schema::Alert;

    /// Every write of its own.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(alert: &Alert) -> Vec<u8> {
        let mut sink = Ndjson::new(Writes::default(), "alerts.ndjson");
        assert!(sink.write(Record::Alert(alert)).is_none());
        let [line] = &sink.out.0[..] else {
            panic!("{} writes", sink.out.0.len());
        };
        line.clone()
    }

    #[test]
    fn a_line_is_one_write_and_one_alert() {
        let alert = sample::postinstall();
        let line = written(&alert);
        let line = line.strip_suffix(b"\n").unwrap();
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
        assert_eq!(sink.lost, 2);
    }

    #[tokio::test]
    async fn what_a_lane_could_not_write_is_reported_once_and_counted() {
        let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut sink = Ndjson::new(Lane::start(file, 1 << 20).unwrap(), "/dev/full");
        assert!(sink.write(Record::Health(&sample::health())).is_none());
        assert!(matches!(sink.failed().await, SinkError::Full { .. }));
        assert!(sink.write(Record::Health(&sample::health())).is_none());
        assert_eq!(sink.close(Duration::from_secs(10)).await, 2);
    }

    #[tokio::test]
    async fn a_pipe_that_nobody_reads_holds_nobody_up() {
        let (_reader, writer) = io::pipe().unwrap();
        let mut sink = Ndjson::new(Lane::start(writer, 1 << 18).unwrap(), "-");
        let alert = sample::postinstall();
        let mut told = Vec::new();
        for _ in 0..400 {
            told.extend(sink.write(Record::Alert(&alert)));
        }
        let [error] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(
            error.to_string(),
            "`-` takes nothing: its reader or disk is too slow, and alerts are missing there"
        );
        let missing = sink.close(Duration::from_millis(20)).await;
        assert!((100..400).contains(&missing), "{missing}");
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
        let line = String::from_utf8(written(&alert)).unwrap();
        assert!(
            line.contains(r"#\u0023[error]x\n::error::y \u009b2J \u202e"),
            "{line}"
        );
    }
}
