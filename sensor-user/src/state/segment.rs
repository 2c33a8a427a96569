//! The files of the log, and their lines from either end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::folder::Folder;
use super::line::LINE_BYTES;

/// Read at once.
const BLOCK: usize = 64 << 10;

/// More segments were never made; a larger number is nobody's.
const LARGEST: u64 = 1 << 50;

/// `log-00000042.ndjson`; so that `ls` shows them in their order.
pub(super) fn name(number: u64) -> String {
    format!("log-{number:08}.ndjson")
}

/// The number in a segment's name.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("log-")?.strip_suffix(".ndjson")?;
    let number = digits.parse().ok().filter(|&number| number < LARGEST)?;
    // `log-42.ndjson` would be a second name of the same number.
    (self::name(number) == name).then_some(number)
}

/// The numbers in the folder, oldest first.
pub(super) fn list(folder: &Folder) -> io::Result<Vec<u64>> {
    let names = folder.names()?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The first line, without its end; absent where the file has no whole one.
pub(super) fn first_line(file: &File) -> io::Result<Option<Vec<u8>>> {
    // A header is far shorter.
    let mut start = vec![0; 4096];
    let length = read_at(file, 0, &mut start)?;
    let end = start[..length].iter().position(|&byte| byte == b'\n');
    Ok(end.map(|end| {
        start.truncate(end);
        start
    }))
}

/// Gives each whole line from `from` on to `each`, without its end; an overlong one as nothing.
/// Returns where the last whole line ends.
pub(super) fn forward(
    file: &File,
    from: u64,
    mut each: impl FnMut(Option<&[u8]>),
) -> io::Result<u64> {
    let mut block = vec![0; BLOCK];
    // The beginning of a line whose end is not read yet.
    let mut open = Vec::new();
    let mut too_long = false;
    let mut at = from;
    let mut ended = from;
    loop {
        let length = read_at(file, at, &mut block)?;
        if length == 0 {
            return Ok(ended);
        }
        for piece in block[..length].split_inclusive(|&byte| byte == b'\n') {
            at += piece.len() as u64;
            too_long |= open.len() + piece.len() > LINE_BYTES;
            if !too_long {
                open.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                each((!too_long).then(|| &open[..open.len() - 1]));
                open.clear();
                too_long = false;
                ended = at;
            }
        }
    }
}

/// The whole lines of a file, last first. What follows the last line's end is being written or was
/// torn, and is left out.
#[derive(Debug)]
pub(super) struct Backward {
    file: File,
    /// Where `buffer` begins in the file.
    start: u64,
    /// Ends with a line's end, unless it is empty.
    buffer: Vec<u8>,
    /// How much of `buffer` was not given out.
    left: usize,
}

/// A line from [`Backward`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'b> {
    Whole(&'b [u8]),
    /// Longer than any of ours.
    TooLong,
}

impl Backward {
    /// Of the file as it is now.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let mut lines = Self {
            start: file.metadata()?.len(),
            file,
            buffer: Vec::new(),
            left: 0,
        };
        lines.drop_torn()?;
        Ok(lines)
    }

    /// The line before those that were given out, without its end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.truncate(self.left);
        if self.buffer.is_empty() && !self.load()? {
            return Ok(None);
        }
        let mut unsearched = self.buffer.len() - 1;
        let begin = loop {
            let end = self.buffer[..unsearched]
                .iter()
                .rposition(|&byte| byte == b'\n');
            if let Some(end) = end {
                break end + 1;
            }
            if self.buffer.len() > LINE_BYTES {
                self.buffer.clear();
                self.drop_torn()?;
                return Ok(Some(Line::TooLong));
            }
            let searched = self.buffer.len();
            if !self.load()? {
                break 0;
            }
            unsearched = self.buffer.len() - searched;
        };
        self.left = begin;
        Ok(Some(Line::Whole(
            &self.buffer[begin..self.buffer.len() - 1],
        )))
    }

    /// Drops what follows the last line end before `start`; the buffer is empty.
    fn drop_torn(&mut self) -> io::Result<()> {
        while self.load()? {
            let end = self.buffer.iter().rposition(|&byte| byte == b'\n');
            self.buffer.truncate(end.map_or(0, |end| end + 1));
            if end.is_some() {
                break;
            }
        }
        self.left = self.buffer.len();
        Ok(())
    }

    /// Puts the block before it in front of the buffer.
    fn load(&mut self) -> io::Result<bool> {
        let length = self.start.min(BLOCK as u64);
        if length == 0 {
            return Ok(false);
        }
        let from = self.start - length;
        let mut block = vec![0; length as usize];
        let read = read_at(&self.file, from, &mut block)?;
        if read < block.len() {
            // The writer took a failed write back meanwhile.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        block.append(&mut self.buffer);
        self.buffer = block;
        self.start = from;
        Ok(true)
    }
}

/// As many bytes as there are, at most the buffer.
fn read_at(file: &File, from: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], from + length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn backward(content: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Backward::new(file(content)).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            match line {
                Line::Whole(line) => all.push(line.to_vec()),
                Line::TooLong => all.push(b"too long".to_vec()),
            }
        }
        all
    }

    fn in_order(content: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let end = forward(&file(content), 0, |line| {
            all.push(line.unwrap_or(b"too long").to_vec());
        });
        let whole = content.iter().rposition(|&byte| byte == b'\n');
        assert_eq!(end.unwrap(), whole.map_or(0, |at| at as u64 + 1));
        all
    }

    #[test]
    fn a_number_has_one_name() {
        assert_eq!(number(&name(42)), Some(42));
        assert_eq!(number(&name(123_456_789_012)), Some(123_456_789_012));
        for other in [
            "log-42.ndjson",
            "log-.ndjson",
            "lock",
            "log-+0000042.ndjson",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_the_same_from_either_end(
            sizes in prop::collection::vec(0_usize..150_000, 0..8),
            torn in 0_usize..100_000,
        ) {
            let mut content = Vec::new();
            let mut expected = Vec::new();
            for (n, size) in sizes.into_iter().enumerate() {
                let line = vec![b'a' + n as u8; size];
                content.extend_from_slice(&line);
                content.push(b'\n');
                expected.push(line);
            }
            content.resize(content.len() + torn, b'x');
            prop_assert_eq!(&in_order(&content), &expected);
            expected.reverse();
            prop_assert_eq!(backward(&content), expected);
        }
    }

    #[test]
    fn a_line_that_can_not_be_ours_takes_no_memory_and_hides_no_other() {
        let mut content = b"first\n".to_vec();
        content.resize(content.len() + LINE_BYTES + 2 * BLOCK, 0);
        content.extend_from_slice(b"\nlast\n");
        let expected: [&[u8]; 3] = [b"first", b"too long", b"last"];
        assert_eq!(in_order(&content), expected);
        let mut found = backward(&content);
        found.reverse();
        assert_eq!(found, expected);
    }
}
