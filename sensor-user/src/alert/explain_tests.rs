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
