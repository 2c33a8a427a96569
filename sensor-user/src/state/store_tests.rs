use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::tests::{LIMITS, everything, number_of, numbered, numbers};
use super::super::{Query, ReadError, Record, read};
use super::*;
use crate::alert::sample;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

fn open(dir: &Path) -> Store {
    let (store, troubles) = Store::open(dir, LIMITS).unwrap();
    assert_eq!(troubles, []);
    store
}

/// Of 64 KiB.
fn large(number: u64, at: i64) -> Entry {
    let mut health = sample::health();
    health.cause = format!("{number}");
    health.since = Some("x".repeat(64 << 10));
    Entry {
        owner: 0,
        at,
        record: Record::Health(Box::new(health)),
    }
}

fn segments(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("log-"))
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_appended_is_read_newest_first_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let mut store = open(&dir);
    store.append(&[numbered(1), numbered(2)]).unwrap();
    store.append(&[numbered(3)]).unwrap();
    store.append(&[]).unwrap();
    store.sync().unwrap();
    let (entries, troubles) = read(&dir, &everything()).unwrap();
    assert_eq!(entries.iter().map(number_of).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(troubles, []);
    drop(store);
    open(&dir).append(&[numbered(4)]).unwrap();
    assert_eq!(numbers(&dir), [1, 2, 3, 4]);
    assert_eq!(segments(&dir), ["log-00000001.ndjson"]);
}

#[test]
fn folder_and_files_are_roots_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    open(&dir).append(&[numbered(1)]).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    let (_, troubles) = Store::open(&dir, LIMITS).unwrap();
    assert_eq!(troubles, [Trouble::WasOpen { mode: 0o777 }]);
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn the_log_stays_below_its_limit_and_loses_its_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let mut largest = 0;
    for number in 0..100 {
        store.append(&[large(number, now())]).unwrap();
        let on_disk: u64 = segments(folder.path())
            .iter()
            .map(|name| fs::metadata(folder.path().join(name)).unwrap().len())
            .sum();
        assert_eq!(on_disk, store.bytes());
        largest = largest.max(on_disk);
    }
    assert!(largest <= LIMITS.max_bytes, "{largest}");
    let kept = numbers(folder.path());
    assert_eq!(kept, (100 - kept.len() as u64..100).collect::<Vec<_>>());
    assert!(kept.len() >= 13, "{kept:?}");
}

#[test]
fn a_limit_that_was_lowered_holds_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        max_bytes: 4 << 20,
        ..LIMITS
    };
    let (mut store, _) = Store::open(folder.path(), limits).unwrap();
    for number in 0..40 {
        store.append(&[large(number, now())]).unwrap();
    }
    drop(store);
    assert!(open(folder.path()).bytes() <= LIMITS.max_bytes);
    assert_eq!(numbers(folder.path()).last(), Some(&39));
}

#[test]
fn a_quiet_hosts_entries_go_when_they_are_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        max_age: Duration::from_secs(30 * 24 * 60 * 60),
        ..LIMITS
    };
    let (mut store, _) = Store::open(folder.path(), limits).unwrap();
    let begin = now();
    for day in 0..60 {
        let at = begin + day * DAY;
        let entry = Entry {
            at,
            ..numbered(day as u64)
        };
        store.append_at(&[entry], at).unwrap();
    }
    let kept = numbers(folder.path());
    assert_eq!(kept.last(), Some(&59));
    assert!((30..=32).contains(&kept.len()), "{kept:?}");
    // And nothing more comes.
    store.expire_at(begin + 100 * DAY);
    assert_eq!(numbers(folder.path()), [0; 0]);
    store.append(&[numbered(60)]).unwrap();
    assert_eq!(numbers(folder.path()), [60]);
}

#[test]
fn a_clock_that_was_set_back_hides_nothing_from_who_asks_for_the_last_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let begin = now();
    store.append_at(&[large(1, begin)], begin).unwrap();
    let earlier = begin - 20 * 60 * SECOND;
    store.append_at(&[large(2, earlier)], earlier).unwrap();
    store.append_at(&[large(3, earlier)], earlier).unwrap();
    assert_eq!(segments(folder.path()).len(), 3);
    let query = Query {
        since: Some(begin - SECOND),
        ..everything()
    };
    let (entries, _) = read(folder.path(), &query).unwrap();
    assert_eq!(entries.iter().map(number_of).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_second_daemon_is_refused_and_told_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(folder.path());
    let error = Store::open(folder.path(), LIMITS).unwrap_err().to_string();
    let pid = std::process::id();
    assert!(
        error.starts_with(&format!("another pkgwarden daemon (pid {pid}) writes to /")),
        "{error}"
    );
}

#[test]
fn too_much_at_once_is_refused_and_the_next_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let batch: Vec<Entry> = (0..9).map(|number| large(number, now())).collect();
    let error = store.append(&batch).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    store.append(&[numbered(9)]).unwrap();
    assert_eq!(numbers(folder.path()), [9]);
}

#[test]
fn what_is_no_folder_of_ours_is_refused_each_with_its_own_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let refused = |name: &str| Store::open(&at(name), LIMITS).unwrap_err();
    fs::write(at("file"), "").unwrap();
    assert!(matches!(refused("file"), StoreError::NotAFolder { .. }));
    fs::create_dir(at("real")).unwrap();
    symlink("real", at("link")).unwrap();
    assert!(matches!(refused("link"), StoreError::Link { .. }));
    assert!(matches!(refused("no/such"), StoreError::Failed { .. }));
    assert!(matches!(
        read(&at("no"), &everything()).unwrap_err(),
        ReadError::Missing { .. }
    ));
    assert!(matches!(
        read(&at("file"), &everything()).unwrap_err(),
        ReadError::NotAFolder { .. }
    ));
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIP: only root can give a folder away");
        return;
    }
    std::os::unix::fs::chown(at("real"), Some(12345), None).unwrap();
    assert!(matches!(
        refused("real"),
        StoreError::Owner { owner: 12345, .. }
    ));
}

#[test]
fn links_and_folders_under_a_segments_name_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    open(&dir).append(&[numbered(1)]).unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, dir.join("log-00000002.ndjson")).unwrap();
    fs::create_dir(dir.join("log-00000003.ndjson")).unwrap();
    let (mut store, troubles) = Store::open(&dir, LIMITS).unwrap();
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(
        troubles
            .iter()
            .all(|t| matches!(t, Trouble::Foreign { .. }))
    );
    store.append(&[numbered(4)]).unwrap();
    assert_eq!(numbers(&dir), [1, 4]);
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    assert!(segments(&dir).contains(&"log-00000004.ndjson".to_owned()));
}

#[test]
fn hostile_texts_stand_in_the_file_as_escapes() {
    let folder = tempfile::tempdir().unwrap();
    let alert = sample::everything_is("x\n::error::y\x1b[2J ##[z] \u{202e}");
    let entry = Entry {
        owner: 0,
        at: 1,
        record: Record::Alert(Box::new(alert)),
    };
    let mut store = open(folder.path());
    store.append(std::slice::from_ref(&entry)).unwrap();
    let text = fs::read_to_string(folder.path().join("log-00000001.ndjson")).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains(['\x1b', '\u{202e}']) && !text.contains("##["));
    let (entries, _) = read(folder.path(), &everything()).unwrap();
    assert_eq!(entries, [entry]);
}

#[test]
fn who_asks_for_a_time_whose_entries_were_dropped_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let begin = now();
    let ask = |since: i64| {
        let query = Query {
            since: Some(since),
            ..everything()
        };
        read(folder.path(), &query).unwrap().1
    };
    for number in 0..100 {
        store
            .append(&[large(number, begin + number as i64 * SECOND)])
            .unwrap();
        if number == 1 {
            assert_eq!(ask(begin - DAY), [], "nothing was dropped yet");
        }
    }
    let troubles = ask(begin);
    assert!(
        matches!(troubles[..], [Trouble::Dropped { .. }]),
        "{troubles:?}"
    );
    assert_eq!(ask(begin + 95 * SECOND), []);
}
