use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &TempDir, limit: u64) -> (Spill, Opened) {
    Spill::open(folder.path(), limit).unwrap()
}

fn entries(texts: &[&str]) -> VecDeque<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn keep(spill: &mut Spill, entries: &mut VecDeque<Vec<u8>>) -> Result<(), KeepError> {
    spill.keep(entries, Vec::as_slice)
}

/// Everything that can be read back, and how much could not.
fn drain(spill: &mut Spill) -> (Vec<String>, u64) {
    let (mut texts, mut damaged) = (Vec::new(), 0);
    loop {
        let (read, bad) = spill.read();
        damaged += bad;
        let Some((_, mark)) = read.last() else { break };
        spill.sent(*mark);
        texts.extend(
            read.iter()
                .map(|(entry, _)| String::from_utf8(entry.clone()).unwrap()),
        );
    }
    (texts, damaged)
}

fn files(folder: &TempDir) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn entries_come_back_in_order_over_many_files_and_leave_nothing_behind() {
    let folder = folder();
    let (mut spill, _) = open(&folder, 1 << 16);
    let texts: Vec<String> = (0..500)
        .map(|n| format!("entry {n} {}", "x".repeat(80)))
        .collect();
    for part in texts.chunks(7) {
        let mut part = part.iter().map(|text| text.clone().into_bytes()).collect();
        keep(&mut spill, &mut part).unwrap();
        assert!(part.is_empty());
    }
    assert!(files(&folder).len() > 5);
    assert_eq!(spill.stock().records, 500);
    assert_eq!(drain(&mut spill), (texts, 0));
    assert_eq!(spill.stock(), Stock::default());
    assert_eq!(files(&folder).len(), 0);
}

#[test]
fn what_is_on_disk_is_for_its_owner_only() {
    let base = folder();
    let path = base.path().join("outbox");
    let (mut spill, _) = Spill::open(&path, 1 << 16).unwrap();
    keep(&mut spill, &mut entries(&["a"])).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.clone()), 0o700);
    assert_eq!(mode(path.join("0000000000.spill")), 0o600);
}

#[test]
fn a_restart_goes_on_behind_what_was_sent() {
    let folder = folder();
    let (mut spill, _) = open(&folder, 1 << 20);
    keep(&mut spill, &mut entries(&["a", "b", "c"])).unwrap();
    let (read, _) = spill.read();
    spill.sent(read[0].1);
    drop(spill);
    let (mut spill, opened) = open(&folder, 1 << 20);
    assert_eq!(opened.damaged, 0);
    // A new start writes to a file of its own, behind the old one.
    keep(&mut spill, &mut entries(&["d"])).unwrap();
    assert_eq!(drain(&mut spill).0, ["b", "c", "d"]);
}

#[test]
fn a_write_cut_off_at_any_byte_loses_at_most_the_record_it_was_in() {
    let folder = folder();
    let (mut spill, _) = open(&folder, 1 << 20);
    let texts = ["first", "second entry", "third"];
    keep(&mut spill, &mut entries(&texts)).unwrap();
    drop(spill);
    let file = files(&folder).remove(0);
    let whole = fs::read(&file).unwrap();
    let ends: Vec<usize> = texts
        .iter()
        .scan(segment::HEAD as usize, |end, text| {
            *end += segment::size(text.as_bytes()) as usize;
            Some(*end)
        })
        .collect();
    for length in 0..=whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        let (mut spill, opened) = open(&folder, 1 << 20);
        let kept = ends.iter().filter(|end| **end <= length).count();
        let torn = length > segment::HEAD as usize && !ends.contains(&length);
        assert_eq!(opened.damaged, u64::from(torn), "cut at {length}");
        keep(&mut spill, &mut entries(&["later"])).unwrap();
        let mut expected = texts[..kept].to_vec();
        expected.push("later");
        assert_eq!(drain(&mut spill).0, expected, "cut at {length}");
        assert!(files(&folder).is_empty(), "cut at {length}");
    }
}

#[test]
fn a_flipped_bit_costs_its_record_and_is_counted() {
    let folder = folder();
    let (mut spill, _) = open(&folder, 1 << 20);
    keep(&mut spill, &mut entries(&["first", "second", "third"])).unwrap();
    drop(spill);
    let file = files(&folder).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let second = segment::HEAD + segment::size(b"first") + 9;
    bytes[second as usize] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (mut spill, opened) = open(&folder, 1 << 20);
    assert_eq!(opened.damaged, 1);
    assert_eq!(drain(&mut spill).0, ["first", "third"]);
}

#[test]
fn beyond_the_bound_the_rest_comes_back_until_there_is_room() {
    let folder = folder();
    let (mut spill, _) = open(&folder, 4096);
    let mut many: VecDeque<Vec<u8>> = (0..100).map(|n| vec![n; 100]).collect();
    let full = keep(&mut spill, &mut many).unwrap_err();
    assert!(matches!(full, KeepError::Full(4096)));
    let kept = 100 - many.len();
    assert!((20..40).contains(&kept), "{kept}");
    assert_eq!(many[0], vec![kept as u8; 100]);
    let size: u64 = files(&folder)
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert!(size <= 4096, "{size} bytes");
    let (read, _) = spill.read();
    spill.sent(read[kept - 1].1);
    keep(&mut spill, &mut entries(&["room"])).unwrap();
    assert_eq!(drain(&mut spill).0, ["room"]);
}

#[test]
fn files_of_another_version_are_left_alone_and_named() {
    let folder = folder();
    let later = folder.path().join("0000000004.spill");
    fs::write(&later, b"pkgwarden-spill2 and something else").unwrap();
    let named = folder.path().join("mine.spill");
    fs::write(&named, b"hello").unwrap();
    let (mut spill, opened) = open(&folder, 1 << 20);
    let mut foreign = opened.foreign;
    foreign.sort();
    assert_eq!(foreign, [later.clone(), named.clone()]);
    keep(&mut spill, &mut entries(&["a"])).unwrap();
    assert_eq!(drain(&mut spill).0, ["a"]);
    assert!(later.exists() && named.exists());
}

#[test]
fn a_link_in_the_folder_is_not_followed() {
    let folder = folder();
    let target = folder.path().join("target");
    fs::write(&target, b"pkgwarden-spill1\x18\0\0\0\0\0\0\0").unwrap();
    std::os::unix::fs::symlink(&target, folder.path().join("0000000000.spill")).unwrap();
    let (mut spill, opened) = open(&folder, 1 << 20);
    assert_eq!(opened.foreign.len(), 1);
    keep(&mut spill, &mut entries(&["a"])).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().len(), 24);
}
