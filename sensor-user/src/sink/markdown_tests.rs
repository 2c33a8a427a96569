use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;
use crate::alert::sample;
use crate::detect::Level;

#[test]
fn the_page_says_what_happened_what_ran_and_whether_all_was_seen() {
    let mut low = sample::credential();
    low.level = Level::Low;
    insta::assert_snapshot!(markdown(
        &sample::report(),
        &[low, sample::postinstall(), sample::callback()]
    ));
}

#[test]
fn a_blind_sensor_is_the_first_thing_on_the_page() {
    let mut report = sample::report();
    report.completeness = sample::incomplete();
    report.exit.as_mut().unwrap().decided_by = DecidedBy::Incomplete;
    let page = markdown(&report, &[]);
    assert!(
        page.contains(
            "**Incomplete: an alert may be missing.** 12 of 812 events were lost.\n\n- The detail \
             ring was full for 3 ms.\n\n**This step failed because not everything was seen.**"
        ),
        "{page}"
    );
}

#[test]
fn a_command_that_was_not_started_was_not_watched_either() {
    let mut report = sample::report();
    report.command.clear();
    report.exit.as_mut().unwrap().decided_by = DecidedBy::Setup;
    let page = markdown(&report, &[]);
    assert!(page.starts_with("### pkgwarden: the command was not started"));
    assert!(!page.contains("nothing was lost"), "{page}");
    assert!(!page.contains("<code></code>"), "{page}");
}

#[test]
fn a_late_watch_lost_no_events_and_says_what_it_is() {
    let mut report = sample::report();
    report.completeness.complete = false;
    report.completeness.started_late = true;
    let page = markdown(&report, &[]);
    assert!(!page.contains("0 of"), "{page}");
    assert!(page.contains("- the watch began when"), "{page}");
}

#[test]
fn a_manager_without_a_list_of_approved_packages_has_no_empty_column() {
    let mut report = sample::report();
    assert!(markdown(&report, &[]).contains("| Approved |"));
    report.packages[0].approved = None;
    assert!(!markdown(&report, &[]).contains("Approved"));
}

#[test]
fn a_hundred_thousand_connections_make_no_page_that_is_not_shown() {
    let mut report = sample::report();
    report.connections = vec![report.connections[0].clone(); 100_000];
    let page = markdown(&report, &[]);
    assert!(page.contains("99900 more are in the report."));
    assert!(page.len() < 1 << 20);
}

/// Everything in it that is not text, a table, or a paragraph of ours.
fn structure(page: &str) -> Vec<String> {
    Parser::new_ext(page, Options::all())
        .filter(|event| !matches!(event, Event::Text(_)))
        .map(|event| match event {
            Event::Start(Tag::List(start)) => format!("list {start:?}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn no_text_adds_a_link_an_image_a_tag_or_a_row() {
    let with = |word: &str| {
        let mut report = sample::report();
        report.command = vec![word.into()];
        report.files_outside_project = vec![word.into()];
        report.packages[0].package.name = word.into();
        report.connections[0].domain = Some(word.into());
        report.registries[0].source = word.into();
        report.suppressed = [(word.to_owned(), 2)].into();
        report.still_running[0].args = vec![word.into()];
        report.completeness = sample::incomplete();
        report.completeness.degraded = vec![word.into()];
        let mut alert = sample::everything_is(word);
        alert.summary = crate::alert::summary::sentence(&alert);
        structure(&markdown(&report, &[alert]))
    };
    let expected = with("plain");
    for attack in [
        "<img src=x onerror=alert(1)>",
        "</code></details><script>",
        "![x](https://a.bc/x)",
        "[x](javascript:1)",
        "a | b | c",
        "a\n\n# heading\n\n| x |",
        "`code`",
        "**bold** _em_ ~~gone~~",
        "<!--",
        "&lt;b&gt;",
        "$$x$$",
        "[^1]",
        "- [ ] task",
        "1. one",
        "+ x",
        "    indented",
        "> quote",
        "---",
        "\\",
        "{.class #id}",
    ] {
        assert_eq!(with(attack), expected, "{attack:?}");
    }
}
