//! What is asked and answered.

use super::*;
use crate::control::client::{ClientError, Followed};
use crate::state::Query;

fn all(count: i64) -> Query {
    Query {
        health: true,
        since: Some(count),
        ..Query::default()
    }
}

#[test]
fn an_answer_is_its_entries_and_then_what_holds_for_them() {
    let daemon = Daemon::start(Limits::default());
    let answer = daemon.client().query(all(5), true).unwrap();
    let answer = answer.collect_all().unwrap();
    assert_eq!(answer.entries.len(), 5);
    assert_eq!(answer.entries[4], entry(4));
    assert!(answer.end.complete);
}

#[test]
fn who_asks_for_everything_gets_no_answer_from_a_store_that_has_not_everything_yet() {
    let daemon = Daemon::start(Limits::default());
    daemon.happens(Happening::SlowStore);
    let refused = match daemon.client().query(all(5), true) {
        Ok(answer) => answer.collect_all().unwrap_err(),
        Err(refused) => refused,
    };
    assert!(
        matches!(&refused, ClientError::Refused(why) if why.contains("not in the store yet")),
        "{refused}"
    );
    let answer = daemon.client().query(all(5), false).unwrap();
    assert_eq!(answer.collect_all().unwrap().entries.len(), 5);
}

#[test]
fn a_long_answer_streams_and_an_entry_that_can_not_be_read_is_a_trouble() {
    let daemon = Daemon::start(Limits::default());
    let mut entries = daemon.client().query(all(20_000), false).unwrap();
    let count = entries.by_ref().map(Result::unwrap).count();
    assert_eq!(count, 19_999);
    let end = entries.end().unwrap();
    assert!(!end.complete);
    assert_eq!(end.troubles, ["entry 7 can't be read"]);
}

#[test]
fn metrics_and_status_are_one_line() {
    let daemon = Daemon::start(Limits::default());
    assert_eq!(daemon.client().metrics().unwrap(), "pkgwarden_up 1\n");
    assert_eq!(daemon.client().status().unwrap(), Status::default());
}

#[test]
fn a_follower_gets_what_is_raised_from_the_moment_it_is_told_that_it_follows() {
    let daemon = Daemon::start(Limits::default());
    let mut following = daemon.client().follow(all(0)).unwrap();
    let mut deaf = daemon.client().follow(Query::default()).unwrap();
    for at in 0..3 {
        daemon.happens(Happening::Raised(Box::new(entry(at))));
    }
    for at in 0..3 {
        let followed = following.next().unwrap().unwrap();
        assert_eq!(followed, Followed::Entry(Box::new(entry(at))));
    }
    drop(daemon);
    assert!(matches!(following.next(), Some(Err(ClientError::Ended))));
    assert!(following.next().is_none());
    assert!(matches!(deaf.next(), Some(Err(ClientError::Ended))));
}

#[test]
fn a_follower_that_does_not_read_is_told_how_many_it_missed() {
    let daemon = Daemon::start(Limits::default());
    let mut slow = daemon.client().follow(all(0)).unwrap();
    let count = 30_000;
    for at in 0..count {
        daemon.happens(Happening::Raised(Box::new(entry(at))));
    }
    // The loop is through with them when it answers.
    daemon.client().status().unwrap();
    let (mut got, mut skipped) = (0, 0);
    let mut last = -1;
    while got + skipped < count as u64 {
        // Something has to be raised for it to be told at all.
        if last < count && got % 1000 == 0 {
            daemon.happens(Happening::Raised(Box::new(entry(count))));
        }
        match slow.next().unwrap().unwrap() {
            Followed::Entry(entry) if entry.at == count => last = count,
            Followed::Entry(entry) => {
                assert!(entry.at > last, "in order");
                last = entry.at;
                got += 1;
            }
            Followed::Skipped(more) => skipped += more,
        }
    }
    assert!(skipped > 0);
}

#[test]
fn a_refusal_is_the_daemons_own_sentence() {
    let daemon = Daemon::start(Limits {
        clients: 0,
        ..Limits::default()
    });
    let refused = daemon.client().status().unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(why) if why.contains("0 connections")),
        "{refused}"
    );
}
