use super::super::{escape, page, sample, schema::Link, summary};
use super::*;

fn playbook() -> Playbook {
    Playbook {
        investigate: vec![
            "Compare the package's published archive with its repository at the same version, and \
             look at who published it."
                .into(),
        ],
        respond: sample::postinstall().response,
        hunt: vec!["Search other jobs of the last week for the same package version.".into()],
    }
}

#[test]
fn a_postinstall_alert_is_told_from_its_tree_to_its_playbook() {
    insta::assert_snapshot!(alert_page(
        &sample::postinstall(),
        Some(&playbook()),
        None,
        Style::Plain
    ));
}

#[test]
fn a_chain_in_a_container_without_its_rule_is_told_too() {
    let mut alert = sample::credential();
    let first = sample::callback();
    alert.links = vec![Link {
        alert_id: first.id,
        time: "2026-01-02T03:04:05.671000000Z".into(),
        summary: first.summary,
    }];
    alert.completeness = sample::incomplete();
    alert.summary = summary::sentence(&alert);
    insta::assert_snapshot!(alert_page(&alert, None, None, Style::Plain));
}

#[test]
fn a_health_record_is_told_with_its_meaning() {
    insta::assert_snapshot!(health_page(&sample::health(), Style::Plain));
}

#[test]
fn a_deep_tree_and_long_words_stay_within_eighty_columns() {
    let mut alert = sample::everything_is(&format!("{} ::x", "/very-long".repeat(300)));
    let ancestor = alert.ancestry[0].clone();
    alert.ancestry = vec![ancestor; 64];
    for line in alert_page(&alert, None, None, Style::Plain).lines() {
        assert!(page::columns(line) <= WIDTH, "{line}");
    }
}

fn page_of(alert: &Alert) -> String {
    alert_page(alert, None, None, Style::Plain)
}

/// Continued lines must not look like a process or a field of their own.
#[test]
fn what_goes_on_in_the_next_line_stands_below_its_own_beginning() {
    let mut alert = sample::postinstall();
    let long = ["npm", "install"].map(str::to_owned).into_iter();
    alert.ancestry[0].args = long
        .chain((0..30).map(|n| format!("package-{n}")))
        .collect();
    alert.evidence.fields = [("ParentCommandLine".to_owned(), "word ".repeat(40))].into();
    let page = page_of(&alert);
    let lines: Vec<&str> = page.lines().collect();
    for start in ["4200 ", "ParentCommandLine = "] {
        let first = lines.iter().position(|line| line.contains(start)).unwrap();
        let column = columns(lines[first].split(start).next().unwrap()) + start.len();
        let next = lines[first + 1];
        assert_eq!(next.len() - next.trim_start().len(), column, "{page}");
    }
}

/// The first screen is for what happened; the fields of the rule are many and mostly false.
#[test]
fn what_to_do_comes_before_the_fields_that_rules_see() {
    let page = page_of(&sample::postinstall());
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    assert!(at("matched") < at("\nDo\n"));
    assert!(at("\nPlaybook\n") < at("All fields"));
}

#[test]
fn a_file_with_a_name_of_four_kilobytes_takes_no_screen_of_the_tree() {
    let mut alert = sample::postinstall();
    for process in &mut alert.ancestry {
        process.executable = format!("/tmp/{}", "x".repeat(4_000));
    }
    let page = page_of(&alert);
    let tree = page.split("Process tree").nth(1).unwrap();
    let tree = tree.split("\n\n").next().unwrap();
    assert!(tree.lines().count() < 20, "{tree}");
}

#[test]
fn a_session_of_which_nothing_was_counted_lost_nothing_of_nothing() {
    let mut alert = sample::postinstall();
    alert.completeness.generated = 0;
    let page = page_of(&alert);
    assert!(page.contains("attached and nothing was lost."), "{page}");
}

#[test]
fn a_late_watch_lost_no_events_and_says_what_it_is() {
    let mut alert = sample::postinstall();
    alert.completeness.complete = false;
    alert.completeness.started_late = true;
    let page = page_of(&alert);
    assert!(
        page.contains("  Not everything: the watch started late."),
        "{page}"
    );
}

#[test]
fn a_hostile_alert_can_be_explained_on_a_terminal_and_in_a_job() {
    for attack in [
        "\x1b]0;title\x07",
        "\n::error::x\n",
        "::add-mask::x",
        "##[set-env name=x]y",
        "\u{9b}2J",
        "\u{202e}gpj.exe",
        "\r\x1b[2K",
    ] {
        let alert = sample::everything_is(attack);
        let page = alert_page(&alert, None, None, Style::Plain);
        for line in page.lines() {
            assert_eq!(escape::terminal(line), line, "{attack:?}");
        }
    }
}
