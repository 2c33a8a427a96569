use super::*;
use crate::alert::sample;
use crate::health::Code;

fn entry(record: Record) -> Entry {
    Entry {
        owner: 0,
        at: 0,
        record,
    }
}

fn alert(level: Level) -> Entry {
    let mut alert = sample::postinstall();
    alert.level = level;
    alert.id = format!("id of {}", level_name(level));
    entry(Record::Alert(Box::new(alert)))
}

fn session(complete: bool) -> Entry {
    let mut report = sample::report();
    if !complete {
        report.completeness = sample::incomplete();
    }
    entry(Record::Session(Box::new(report)))
}

/// The sample's session is from 03:04:00 to 03:04:20.
fn gap(since: &str, until: &str) -> Entry {
    let time = |clock| format!("2026-01-02T{clock}.000000000Z");
    let health = Health::new(
        sample::postinstall().host,
        time(until),
        Code::DaemonGap,
        format!("the daemon was not running from {since} to {until}"),
        Some(time(since)),
    );
    entry(Record::Health(Box::new(health)))
}

fn judged(selection: Selection, entries: Vec<Entry>) -> Verdict {
    let mut verdict = Verdict::new(selection);
    for entry in entries {
        let _ = verdict.take(entry);
    }
    verdict.end(End::default());
    verdict
}

fn everything() -> Selection {
    Selection {
        fail_on: Level::High,
        since: None,
        session: None,
        run: None,
    }
}

fn one_session() -> Selection {
    Selection {
        session: Some("e4200".into()),
        ..everything()
    }
}

#[test]
fn only_alerts_of_the_level_asked_for_are_findings() {
    let low = judged(everything(), vec![alert(Level::Medium), session(true)]);
    assert!(!low.has_findings() && !low.is_incomplete());
    let page = low.page(Style::Plain);
    assert!(
        page.starts_with("CLEAN no alert of level high or above"),
        "{page}"
    );
    assert!(page.contains("1 of a lower level"), "{page}");
    let high = judged(
        everything(),
        vec![alert(Level::Critical), alert(Level::High)],
    );
    assert!(high.has_findings());
    // The same alert may be recorded twice, by two daemons that watched one session.
    let twice = judged(everything(), vec![alert(Level::High), alert(Level::High)]);
    assert!(twice.page(Style::Plain).starts_with("FINDINGS 1 alert of"));
}

#[test]
fn the_page_says_what_was_found_and_what_was_not_seen() {
    let entries = vec![
        alert(Level::High),
        session(false),
        gap("03:00:00", "03:01:00"),
    ];
    let mut verdict = judged(everything(), entries);
    verdict.missing_daemon();
    verdict.open = 1;
    insta::assert_snapshot!(verdict.page(Style::Plain));
}

#[test]
fn a_gap_counts_for_a_session_only_if_it_ran_meanwhile() {
    let is_incomplete = |since: &str, until: &str| {
        let entries = vec![session(true), gap(since, until)];
        judged(one_session(), entries).is_incomplete()
    };
    assert!(!is_incomplete("03:00:00", "03:03:59"));
    assert!(!is_incomplete("03:04:21", "03:05:00"));
    assert!(is_incomplete("03:00:00", "03:04:01"));
    assert!(is_incomplete("03:04:19", "03:05:00"));
    assert!(is_incomplete("03:00:00", "03:05:00"));
}

#[test]
fn what_is_not_recorded_at_all_is_not_clean() {
    let verdict = judged(one_session(), vec![]);
    assert!(verdict.is_incomplete());
    let run = Selection {
        run: Some("77".into()),
        ..everything()
    };
    let page = judged(run, vec![]).page(Style::Plain);
    assert!(page.contains("nothing of run 77 is recorded"), "{page}");
    assert!(!judged(everything(), vec![]).is_incomplete(), "a quiet day");
}

#[test]
fn a_session_counts_as_it_was_told_last() {
    // Newest first: it was incomplete while it ran, and is a clean whole at its end. Or the reverse.
    assert!(!judged(everything(), vec![session(true), session(false)]).is_incomplete());
    assert!(judged(everything(), vec![session(false), session(true)]).is_incomplete());
}
