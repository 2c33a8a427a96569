//! `check` over a recorded folder.

use pkgwarden::state::Entry;

use crate::recorded::*;

#[test]
fn the_gate_is_0_86_or_87() {
    let now = now();
    let gate = |entries: &[Entry], more: &[&str]| {
        let words = [&["check", "--fail-on", "high"], more].concat();
        let output = pkgwarden(&store(entries), &words);
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text)
    };
    let clean = [alert(ALERT, "medium", now), session(true, now)];
    let (status, text) = gate(&clean, &[]);
    assert_eq!(status, 0, "{text}");
    assert!(text.starts_with("CLEAN no alert of level high"), "{text}");

    let (status, text) = gate(&[alert(ALERT, "high", now), session(true, now)], &[]);
    assert_eq!(status, 86, "{text}");
    assert!(
        text.contains(&format!("pkgwarden explain {ALERT}")),
        "{text}"
    );

    let (status, text) = gate(&[session(false, now)], &[]);
    assert_eq!(status, 87, "{text}");
    assert!(text.contains("the watch began after it"), "{text}");

    let (status, text) = gate(&[session(true, now - HOUR), gap(now)], &[]);
    assert_eq!(status, 87, "{text}");
    assert!(
        text.contains("the daemon was not running for 5 minutes"),
        "{text}"
    );

    // Findings before what may be missing.
    assert_eq!(
        gate(&[alert(ALERT, "high", now), session(false, now)], &[]).0,
        86
    );
}

#[test]
fn the_gate_looks_only_at_what_it_was_told_to() {
    let now = now();
    let folder = store(&[
        alert(ALERT, "high", now - 48 * HOUR),
        session(true, now - 48 * HOUR),
    ]);
    let status = |more: &[&str]| {
        let words = [&["check", "--fail-on", "high"], more].concat();
        pkgwarden(&folder, &words).status.code().unwrap()
    };
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&["--since", "3d"]), 86);
    assert_eq!(status(&["--session", INSTALL]), 86);
    assert_eq!(status(&["--session", "another"]), 87);
    assert_eq!(status(&["--since", "3d", "--run-id", "42"]), 86);
    assert_eq!(
        status(&["--since", "3d", "--run-id", "42", "--job", "build"]),
        86
    );
    assert_eq!(
        status(&["--since", "3d", "--run-id", "42", "--job", "lint"]),
        87
    );
    assert_eq!(status(&["--since", "3d", "--run-id", "4"]), 87);
    assert_eq!(status(&["--job", "build"]), 64);
    assert_eq!(pkgwarden(&folder, &["check"]).status.code(), Some(64));
}
