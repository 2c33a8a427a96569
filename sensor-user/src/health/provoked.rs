//! Which test provokes which code by a real cause. A code that nothing can provoke is a promise that
//! nobody keeps, so the table must be whole, and the tests must be there.

use std::fs;
use std::path::{Path, PathBuf};

use super::Code;

/// A code, and a test that ends with a record of it. Where the cause is the kernel's or a user's, that
/// is a live test; where it is an order of events, one of the core.
const PROVOKED: &[(Code, &str)] = &[
    (
        Code::EventsLost,
        "a_ring_that_is_too_small_loses_detail_and_says_so_and_keeps_the_lineage",
    ),
    (
        Code::LineageFull,
        "a_full_set_is_a_health_alert_and_an_incomplete_session",
    ),
    (
        Code::HookMissing,
        "without_a_cgroup2_mount_connects_are_seen_by_the_fallback_hook",
    ),
    (
        Code::StartedLate,
        "an_install_that_ran_already_is_late_and_a_server_that_did_is_no_news",
    ),
    (
        Code::OutputFailing,
        "a_journald_that_was_stopped_for_a_while_gets_everything_in_order",
    ),
    (
        Code::IoUringUsed,
        "an_open_through_io_uring_is_seen_as_what_it_is",
    ),
    (
        Code::ReadRefused,
        "a_file_system_that_hangs_its_readers_is_read_no_more_and_told",
    ),
    (
        Code::DaemonGap,
        "a_daemon_that_was_killed_says_how_long_it_was_away",
    ),
    (
        Code::RulesRejected,
        "a_reload_with_a_broken_rule_keeps_the_last_good_ones_and_says_so",
    ),
    (
        Code::ClockJump,
        "a_set_clock_is_health_and_a_slewed_one_is_followed_in_silence",
    ),
    (
        Code::RecordsLost,
        "a_full_disk_keeps_nothing_and_what_is_missing_is_told_once_there_is_room",
    ),
    (
        Code::Tampered,
        "a_probe_that_is_detached_behind_the_daemons_back_is_told",
    ),
];

fn sources() -> Vec<PathBuf> {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![crate_root.join("src"), crate_root.join("../tests/live")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|end| end == "rs") => files.push(path),
                false => {}
            }
        }
    }
    files
}

/// Whether a test of this name stands in the sources, and is run.
fn is_a_test(name: &str, sources: &[String]) -> bool {
    let head = format!("fn {name}() {{");
    sources.iter().any(|text| {
        text.match_indices(&head).any(|(at, _)| {
            let above: Vec<&str> = text[..at].lines().rev().take(3).collect();
            above
                .iter()
                .any(|line| matches!(line.trim(), "#[test]" | "#[tokio::test]"))
                && !above.iter().any(|line| line.contains("ignore"))
        })
    })
}

#[test]
fn every_code_is_provoked() {
    let sources: Vec<String> = sources()
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for code in Code::ALL {
        let tests = PROVOKED.iter().filter(|(of, _)| of == code).count();
        assert_eq!(tests, 1, "{} has no test that provokes it", code.name());
    }
    for (code, name) in PROVOKED {
        assert!(
            is_a_test(name, &sources),
            "{} is to be provoked by the test {name}, which is not there",
            code.name()
        );
    }
}
