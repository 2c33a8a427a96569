use std::fs;

use proptest::prelude::*;

use super::super::line;
use super::*;

const FIRST: &str = "log-00000001.ndjson";

fn written(entries: u64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    let batch: Vec<Entry> = (0..entries).map(numbered).collect();
    store.append(&batch).unwrap();
    fs::read(folder.path().join(FIRST)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_anywhere_costs_the_lines_it_hit_and_never_the_log(
        hits in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..6),
    ) {
        let mut bytes = written(12);
        for (at, change) in &hits {
            let at = at.index(bytes.len());
            bytes[at] ^= change;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FIRST), &bytes).unwrap();

        let (mut store, opened) = Store::open(folder.path(), LIMITS).unwrap();
        store.append(&[numbered(99)]).unwrap();
        let (entries, read_troubles) = read(folder.path(), &everything()).unwrap();
        let found: Vec<u64> = entries.iter().rev().map(number_of).collect();
        prop_assert_eq!(found.last(), Some(&99));
        let kept = &found[..found.len() - 1];
        prop_assert!(kept.is_sorted() && kept.iter().all(|&number| number < 12), "{:?}", kept);
        // A changed line end joins two lines.
        prop_assert!(kept.len() + 2 * hits.len() >= 12, "{:?}", kept);
        // Two changes of one byte may undo each other.
        let missing = kept.len() < 12;
        prop_assert!(!missing || !opened.is_empty(), "{:?}", kept);
        let torn = opened.iter().any(|t| matches!(t, Trouble::TornTail { .. }));
        prop_assert!(!missing || torn || !read_troubles.is_empty(), "{:?}", opened);
    }

    #[test]
    fn any_bytes_at_all_are_opened_and_read(bytes: Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FIRST), &bytes).unwrap();
        fs::write(folder.path().join("open-sessions"), &bytes).unwrap();
        let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
        Snapshot::read(store.folder()).unwrap_err();
        store.append(&[numbered(7)]).unwrap();
        prop_assert_eq!(numbers(folder.path()), [7]);
    }
}

#[test]
fn a_segment_without_a_line_in_it_is_told_and_never_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FIRST);
    fs::write(&path, vec![0; 10_000]).unwrap();
    let (mut store, troubles) = Store::open(folder.path(), LIMITS).unwrap();
    let header = Trouble::Header {
        segment: FIRST.to_owned(),
    };
    assert_eq!(troubles, std::slice::from_ref(&header));
    store.append(&[numbered(1)]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), vec![0; 10_000]);
    let query = Query {
        since: Some(now() - 60 * SECOND),
        ..everything()
    };
    let (entries, troubles) = read(folder.path(), &query).unwrap();
    assert_eq!((entries.len(), troubles), (1, vec![header]));
}

#[test]
fn a_later_versions_segment_is_left_as_it_is_and_the_log_goes_on_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    store.append(&[numbered(1)]).unwrap();
    drop(store);
    let mut later = Vec::new();
    line::encode(
        r#"{"format":"pkgwarden.state/2","kept":"otherwise"}"#,
        &mut later,
    );
    later.extend_from_slice(b"what only it can read");
    let path = folder.path().join("log-00000002.ndjson");
    fs::write(&path, &later).unwrap();

    let future = Trouble::Future {
        segment: "log-00000002.ndjson".into(),
        format: "pkgwarden.state/2".into(),
    };
    let (mut store, troubles) = Store::open(folder.path(), LIMITS).unwrap();
    assert_eq!(troubles, std::slice::from_ref(&future));
    store.append(&[numbered(2)]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), later);
    assert!(folder.path().join("log-00000003.ndjson").exists());
    // It was written just now: who asks for the last hour must know that there is more.
    let query = Query {
        since: Some(now() - 60 * SECOND),
        ..everything()
    };
    let (entries, troubles) = read(folder.path(), &query).unwrap();
    assert_eq!(entries.iter().map(number_of).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(troubles, [future]);
}

#[test]
fn a_snapshot_is_the_old_or_the_new_one_and_a_bad_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), LIMITS).unwrap();
    assert_eq!(Snapshot::read(store.folder()).unwrap(), None);
    let key = |pid| crate::event::ProcessKey { pid, start: 7 };
    let mut snapshot = Snapshot {
        boot_id: "b".into(),
        written_at: 5,
        members: vec![Member {
            process: key(2),
            root: key(1),
            step: Some(key(3)),
        }],
        sessions: vec![OpenSession {
            owner: 1001,
            report: sample::report(),
        }],
        ..Snapshot::default()
    };
    snapshot.write(store.folder()).unwrap();
    // A crash in the middle of the next one.
    fs::write(folder.path().join("open-sessions.new"), "half of i").unwrap();
    assert_eq!(
        Snapshot::read(store.folder()).unwrap(),
        Some(snapshot.clone())
    );
    snapshot.written_at = 6;
    snapshot.write(store.folder()).unwrap();
    assert_eq!(Snapshot::read(store.folder()).unwrap(), Some(snapshot));

    let path = folder.path().join("open-sessions");
    let good = fs::read(&path).unwrap();
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        Snapshot::read(store.folder()).unwrap_err();
    }
    let mut later = Vec::new();
    line::encode(r#"{"format":"pkgwarden.open-sessions/2"}"#, &mut later);
    fs::write(&path, later).unwrap();
    let trouble = Snapshot::read(store.folder()).unwrap_err().to_string();
    assert!(
        trouble.contains("open-sessions/2, which this version can't read"),
        "{trouble}"
    );
    Snapshot::remove(store.folder()).unwrap();
    assert_eq!(Snapshot::read(store.folder()).unwrap(), None);
}
