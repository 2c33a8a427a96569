use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

const FIRST: &str = "log-00000001.ndjson";

/// Opens a log of these bytes, checks that it goes on, and gives the numbers that were in it before.
fn opened(bytes: &[u8]) -> (Vec<u64>, Troubles) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FIRST), bytes).unwrap();
    let (mut store, troubles) = Store::open(folder.path(), LIMITS).unwrap();
    let before = numbers(folder.path());
    store.append(&[numbered(99)]).unwrap();
    let mut expected = before.clone();
    expected.push(99);
    assert_eq!(numbers(folder.path()), expected);
    drop(store);
    let (_, later) = Store::open(folder.path(), LIMITS).unwrap();
    assert_eq!(later, [], "mended once");
    (before, troubles)
}

#[test]
fn a_write_that_was_cut_at_any_byte_loses_at_most_the_record_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    store.append(&[numbered(1), numbered(2)]).unwrap();
    store
        .append(&[numbered(3), numbered(4), numbered(5)])
        .unwrap();
    let bytes = fs::read(folder.path().join(FIRST)).unwrap();
    for length in 0..=bytes.len() {
        let written = &bytes[..length];
        let lines = written.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let whole = written.iter().rposition(|&byte| byte == b'\n');
        let torn = (length - whole.map_or(0, |at| at + 1)) as u64;
        let (found, troubles) = opened(written);
        // The first line is the segment's own.
        assert_eq!(found, (1..lines.max(1)).collect::<Vec<_>>(), "{length}");
        if length == 0 || torn > 0 {
            let expected = Trouble::TornTail {
                segment: FIRST.to_owned(),
                bytes: torn,
            };
            assert_eq!(troubles, [expected], "{length}");
        } else {
            assert_eq!(troubles, [], "{length}");
        }
    }
}

/// After a power cut a file may be longer than what of it reached the disk.
#[test]
fn zeros_at_the_end_are_a_torn_write() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    store.append(&[numbered(1), numbered(2)]).unwrap();
    let mut bytes = fs::read(folder.path().join(FIRST)).unwrap();
    bytes.resize(bytes.len() + 5000, 0);
    let (found, troubles) = opened(&bytes);
    assert_eq!(found, [1, 2]);
    assert!(matches!(
        troubles[..],
        [Trouble::TornTail { bytes: 5000, .. }]
    ));
}

const THIS_TEST: &str =
    "state::tests::crash::killed_while_it_appends_a_daemon_loses_nothing_that_was_appended";

/// Tells the process that is killed, which is this test again, where to append.
const APPEND_TO: &str = "PKGWARDEN_TEST_APPEND_TO";

#[test]
fn killed_while_it_appends_a_daemon_loses_nothing_that_was_appended() {
    if let Some(dir) = std::env::var_os(APPEND_TO) {
        append_for_ever(Path::new(&dir));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut next = 0;
    for turn in 1..=8 {
        let acknowledged = append_until_killed(folder.path(), turn * 40);
        let kept = numbers(folder.path());
        assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>());
        assert!(kept.len() as u64 > acknowledged, "{acknowledged} {kept:?}");
        assert!(acknowledged >= next, "turn {turn}");
        next = kept.len() as u64;
    }
}

/// Kills the process after so many appends, and gives the last number that it said was written.
fn append_until_killed(dir: &Path, appends: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", THIS_TEST, "--nocapture"])
        .env(APPEND_TO, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0;
    let mut count = 0;
    while count < appends {
        let line = said.next().expect("it appends until it is killed").unwrap();
        if let Some(number) = line.strip_prefix("appended ") {
            last = number.parse().unwrap();
            count += 1;
        }
    }
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    for line in said.map_while(Result::ok) {
        if let Some(Ok(number)) = line.strip_prefix("appended ").map(str::parse) {
            last = number;
        }
    }
    last
}

/// What the process that is killed does.
fn append_for_ever(dir: &Path) -> ! {
    let limits = Limits {
        max_bytes: 64 << 20,
        ..LIMITS
    };
    let (mut store, _) = Store::open(dir, limits).unwrap();
    let mut next = numbers(dir).len() as u64;
    loop {
        let batch: Vec<Entry> = (next..next + 5).map(numbered).collect();
        store.append(&batch).unwrap();
        next += 5;
        println!("appended {}", next - 1);
    }
}
