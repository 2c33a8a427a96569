//! What became of an alert: from the report of its session, which is written when that is over.

use super::limit::cut;
use super::page::Page;
use super::report::{Connection, Report};
use super::row::command_line;
use super::schema::{Alert, Destination};
use super::words::outcome_name;

/// Bytes of a command line.
const COMMAND: usize = 300;

/// Processes named one by one.
const NAMED: usize = 8;

/// Writes the section.
pub(super) fn later(page: &mut Page, alert: &Alert, report: &Report) {
    page.section("Until the session ended");
    page.item("ended", &report.ended);
    page.item(
        "repeats",
        &match report.repeats.get(&alert.id) {
            None | Some(0) => "none".to_owned(),
            Some(1) => "1, which raised no alert of its own".to_owned(),
            Some(more) => format!("{more}, which raised no alerts of their own"),
        },
    );
    if let Some(destination) = &alert.destination {
        page.optional("outcome", outcomes(destination, report).as_deref());
    }
    let others = report.alerts.iter().filter(|id| **id != alert.id).count();
    page.item(
        "alerts",
        &match others {
            0 => "no other in this session".to_owned(),
            1 => "1 other in this session".to_owned(),
            more => format!("{more} others in this session"),
        },
    );
    if !report.completeness.complete && alert.completeness.complete {
        page.item(
            "note",
            "not everything of the session was seen after this alert",
        );
    }
    for process in report.still_running.iter().take(NAMED) {
        let command = match process.args.as_slice() {
            [] => process.executable.clone(),
            args => cut(&command_line(args), COMMAND),
        };
        page.item("runs on", &format!("{} {command}", process.pid));
    }
    let more = report.still_running.len().saturating_sub(NAMED);
    if more > 0 {
        page.item("runs on", &format!("and {more} more"));
    }
}

/// How the connections to the alert's destination went, all of the session.
fn outcomes(destination: &Destination, report: &Report) -> Option<String> {
    let same = |connection: &&Connection| {
        connection.ip == destination.ip
            && connection.port == destination.port
            && connection.path == destination.path
    };
    let counted: Vec<String> = report
        .connections
        .iter()
        .filter(same)
        .map(|connection| format!("{} {}", connection.count, outcome_name(connection.outcome)))
        .collect();
    (!counted.is_empty()).then(|| format!("connections to it: {}", counted.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::page::Style;
    use super::super::sample;
    use super::*;

    fn told(alert: &Alert, report: &Report) -> String {
        let mut page = Page::new(80, Style::Plain);
        later(&mut page, alert, report);
        page.finish()
    }

    #[test]
    fn repeats_and_the_final_outcome_are_told_where_the_alert_could_not_know_them() {
        let alert = sample::callback();
        let mut report = sample::report();
        report.alerts = vec![alert.id.clone(), "another".into()];
        report.repeats.insert(alert.id.clone(), 3);
        report.connections.push(Connection {
            outcome: super::super::schema::Outcome::Connected,
            count: 1,
            ..report.connections[0].clone()
        });
        report.completeness = sample::incomplete();
        assert_eq!(
            told(&alert, &report),
            "\nUntil the session ended\n\
             \x20 ended      2026-01-02T03:04:20.000000000Z\n\
             \x20 repeats    3, which raised no alerts of their own\n\
             \x20 outcome    connections to it: 2 refused, 1 connected\n\
             \x20 alerts     1 other in this session\n\
             \x20 note       not everything of the session was seen after this alert\n\
             \x20 runs on    4300 node daemon.js\n"
        );
    }

    #[test]
    fn hostile_texts_stay_in_their_lines() {
        let hostile = "x\n::error::y\x1b[2J ##[z]";
        let mut report = sample::report();
        report.ended = hostile.into();
        report.still_running[0].args = vec![hostile.into()];
        let text = told(&sample::postinstall(), &report);
        assert!(!text.contains('\x1b') && !text.contains("##["), "{text}");
        assert!(
            text.lines()
                .all(|line| !line.trim_start().starts_with("::"))
        );
    }
}
