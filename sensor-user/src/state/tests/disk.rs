use std::fs;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::*;

/// A file system of 1 MiB for this thread alone; it ends with it.
fn small_disk(at: &Path) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("needs root to mount a small disk".into());
    }
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))
        .and_then(|()| {
            let options = Some("size=1m,mode=700");
            mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), options)
        })
        .map_err(|errno| format!("this machine does not let root mount a tmpfs: {errno}"))
}

fn read_only(at: &Path) {
    let none = None::<&str>;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, at, none, flags, none).unwrap();
}

#[test]
fn a_full_disk_tears_nothing_and_with_room_the_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    if let Err(why) = small_disk(folder.path()) {
        eprintln!("SKIP: {why}");
        return;
    }
    let dir = folder.path().join("state");
    let limits = Limits {
        max_bytes: 64 << 20,
        ..LIMITS
    };
    let (mut store, _) = Store::open(&dir, limits).unwrap();
    let ballast = folder.path().join("ballast");
    fs::write(&ballast, vec![0; 512 << 10]).unwrap();
    let mut kept = 0;
    let error = loop {
        let batch: Vec<Entry> = (kept..kept + 7).map(numbered).collect();
        match store.append(&batch) {
            Ok(()) => kept += 7,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(kept > 100, "{kept}");
    let expected: Vec<u64> = (0..kept).collect();
    let (entries, troubles) = read(&dir, &everything()).unwrap();
    assert_eq!(troubles, []);
    assert_eq!(entries.len(), expected.len());
    // Still full, and a daemon that is started now runs all the same.
    drop(store);
    let (mut store, troubles) = Store::open(&dir, limits).unwrap();
    assert_eq!(troubles, []);
    let large: Vec<Entry> = (0..100).map(numbered).collect();
    assert!(matches!(store.append(&large), Err(StoreError::Full { .. })));
    let snapshot = Snapshot {
        sessions: vec![OpenSession {
            owner: 0,
            report: sample::report(),
        }],
        ..Snapshot::default()
    };
    snapshot.write(store.folder()).unwrap_err();
    assert_eq!(Snapshot::read(store.folder()).unwrap(), None);
    assert_eq!(numbers(&dir), expected);

    fs::remove_file(ballast).unwrap();
    store.append(&[numbered(kept)]).unwrap();
    assert_eq!(numbers(&dir), (0..=kept).collect::<Vec<_>>());
}

#[test]
fn a_read_only_disk_is_named_and_what_is_on_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    if let Err(why) = small_disk(folder.path()) {
        eprintln!("SKIP: {why}");
        return;
    }
    let dir = folder.path().join("state");
    let (mut store, _) = Store::open(&dir, LIMITS).unwrap();
    store.append(&[numbered(1)]).unwrap();
    drop(store);
    read_only(folder.path());
    let error = Store::open(&dir, LIMITS).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    let error = Store::open(&folder.path().join("new"), LIMITS).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    assert_eq!(numbers(&dir), [1]);
}
