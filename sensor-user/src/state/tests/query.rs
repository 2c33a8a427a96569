use std::ops::ControlFlow;

use super::*;

fn entry(owner: u32, at: i64, record: Record) -> Entry {
    Entry { owner, at, record }
}

/// One of each, at 1, 2, 3, 4.
fn store(dir: &Path) -> Vec<Entry> {
    let mut report = sample::report();
    report.ci = sample::postinstall().ci;
    let entries = vec![
        entry(1001, 1, Record::Alert(Box::new(sample::postinstall()))),
        entry(1002, 2, Record::Suppressed(Box::new(sample::callback()))),
        entry(0, 3, Record::Health(Box::new(sample::health()))),
        entry(1001, 4, Record::Session(Box::new(report))),
    ];
    let (mut store, _) = Store::open(dir, LIMITS).unwrap();
    store.append(&entries).unwrap();
    entries
}

#[track_caller]
fn finds(dir: &Path, query: Query, times: &[i64]) {
    let (entries, troubles) = read(dir, &query).unwrap();
    assert_eq!(troubles, []);
    let found: Vec<i64> = entries.iter().map(|entry| entry.at).collect();
    assert_eq!(found, times, "{query:?}");
}

#[test]
fn each_condition_of_a_query_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let find = |change: &dyn Fn(&mut Query), times: &[i64]| {
        let mut query = everything();
        change(&mut query);
        finds(folder.path(), query, times);
    };
    let set = |text: &str| Some(text.to_owned());
    finds(folder.path(), Query::default(), &[]);
    find(&|_| {}, &[4, 3, 2, 1]);
    find(&|q| q.alerts = false, &[4, 3, 2]);
    find(&|q| q.suppressed = false, &[4, 3, 1]);
    find(&|q| q.health = false, &[4, 2, 1]);
    find(&|q| q.sessions = false, &[3, 2, 1]);
    find(&|q| q.since = Some(2), &[4, 3, 2]);
    // Lost events concern everybody.
    find(&|q| q.viewer = Some(1001), &[4, 3, 1]);
    find(&|q| q.viewer = Some(0), &[4, 3, 2, 1]);
    find(&|q| q.min_level = Some(Level::High), &[4, 3, 2]);
    let id = sample::postinstall().id;
    find(&|q| q.id = set(&id), &[4, 2, 1]);
    find(&|q| q.id = set(&id[..8]), &[4, 2, 1]);
    find(&|q| q.id = set("nothing"), &[]);
    find(&|q| q.id = set("\"\\\n"), &[]);
    find(&|q| q.session = set("e4200"), &[4, 3, 1]);
    find(&|q| q.run_id = set("1234567890"), &[4, 3, 1]);
    find(&|q| q.run_id = set("123456789"), &[3]);
    find(&|q| q.job = set("test"), &[4, 3, 1]);
    find(&|q| q.job = set("other"), &[3]);
}

#[test]
fn whoever_has_enough_stops_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let mut seen = 0;
    let scanned = scan(folder.path(), &everything(), |_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert_eq!((scanned.unwrap(), seen), (vec![], 1));
}

#[test]
fn who_asks_for_the_last_hour_does_not_read_older_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    for number in 0..400 {
        store
            .append(&[Entry {
                at: number,
                ..numbered(number as u64)
            }])
            .unwrap();
    }
    // Were it read, its damage would be told.
    let first = folder.path().join("log-00000001.ndjson");
    assert!(folder.path().join("log-00000002.ndjson").exists());
    let mut bytes = std::fs::read(&first).unwrap();
    bytes[300] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    let query = Query {
        since: Some(390),
        ..everything()
    };
    finds(folder.path(), query, &(390..400).rev().collect::<Vec<_>>());
    assert_eq!(read(folder.path(), &everything()).unwrap().1.len(), 1);
}

#[test]
fn readers_see_whole_entries_while_the_daemon_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..1500 {
                store.append(&[numbered(number)]).unwrap();
            }
        });
        let mut last = 0;
        while last < 1499 {
            let (entries, troubles) = read(folder.path(), &everything()).unwrap();
            assert_eq!(troubles, []);
            let found: Vec<u64> = entries.iter().map(number_of).collect();
            assert!(found.windows(2).all(|pair| pair[0] == pair[1] + 1));
            let newest = found.first().copied().unwrap_or(0);
            assert!(newest >= last);
            last = newest;
        }
    });
}
