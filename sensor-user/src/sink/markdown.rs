//! The session report as Markdown, for the summary page of a CI job.

use std::fmt::Write as _;

use crate::alert::escape::markdown as text;
use crate::alert::report::{Connection, DecidedBy, PackageRun, Report};
use crate::alert::row::command_line;
use crate::alert::schema::Alert;
use crate::alert::summary::package_name;
use crate::alert::words::{level_name, outcome_name};

use super::session::registry;

/// Rows of a table; a summary page takes 1 MiB and shows nothing of a longer one.
const ROWS: usize = 100;

/// Bytes of one cell, before escaping.
const CELL: usize = 300;

/// The page. `alerts` are those the report counts, all levels, in any order.
pub fn markdown(report: &Report, alerts: &[Alert]) -> String {
    let mut page = String::new();
    if decided_by(report) == Some(DecidedBy::Setup) {
        page.push_str("### pkgwarden: the command was not started\n\n");
        page.push_str("Nothing was watched. Why is in the log of this step.\n\n");
        return page;
    }
    heading(&mut page, report);
    verdict(&mut page, report);
    alert_table(&mut page, alerts);
    packages(&mut page, report);
    let registries = report.registries.iter();
    folded(
        &mut page,
        "Registries and proxies it was told to use",
        ["Host", "Where"],
        registries.map(|one| [code(&registry(one)), code(&one.source)]),
    );
    connections(&mut page, report);
    list(
        &mut page,
        "Written outside the project",
        report.files_outside_project.iter().map(|path| code(path)),
    );
    list(
        &mut page,
        "Still running at the end",
        report.still_running.iter().map(|process| {
            let command = match process.args.as_slice() {
                [] => process.executable.clone(),
                args => command_line(args),
            };
            format!("{} {}", process.pid, code(&command))
        }),
    );
    list(
        &mut page,
        "Suppressed by a filter",
        report
            .suppressed
            .iter()
            .map(|(filter, count)| format!("{} ×{count}", code(filter))),
    );
    page
}

fn decided_by(report: &Report) -> Option<DecidedBy> {
    report.exit.as_ref().map(|exit| exit.decided_by)
}

fn heading(page: &mut String, report: &Report) {
    let total: u64 = report.alerts_by.level.values().sum();
    let counted = match total {
        0 => "no alerts".to_owned(),
        1 => "1 alert".to_owned(),
        n => format!("{n} alerts"),
    };
    let _ = writeln!(
        page,
        "### pkgwarden: {counted} in {}\n",
        code(&command_line(&report.command))
    );
}

fn verdict(page: &mut String, report: &Report) {
    let completeness = &report.completeness;
    if completeness.complete {
        let _ = writeln!(
            page,
            "Every probe was attached and nothing was lost: {} programs were started, {} events \
             seen.\n",
            report.processes, completeness.generated
        );
    } else {
        let lost = match completeness.lost {
            0 => String::new(),
            lost => format!(" {lost} of {} events were lost.", completeness.generated),
        };
        let _ = writeln!(page, "**Incomplete: an alert may be missing.**{lost}\n");
        if completeness.started_late {
            page.push_str("- the watch began when processes were running already\n");
        }
        for sentence in &completeness.degraded {
            let _ = writeln!(page, "- {}", cell(sentence));
        }
        page.push('\n');
    }
    let reason = match decided_by(report) {
        Some(DecidedBy::Findings) => "**This step failed because of its alerts.**",
        Some(DecidedBy::Incomplete) => "**This step failed because not everything was seen.**",
        Some(DecidedBy::Command | DecidedBy::Setup) | None => return,
    };
    let _ = writeln!(page, "{reason}\n");
}

/// Worst first; within a level in the order they were raised.
fn alert_table(page: &mut String, alerts: &[Alert]) {
    let mut alerts: Vec<&Alert> = alerts.iter().collect();
    alerts.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.time.cmp(&b.time)));
    let rows = alerts.iter().map(|alert| {
        [
            level_name(alert.level).to_owned(),
            cell(&alert.summary),
            cell(&alert.title),
            alert.response.first().map(|s| cell(s)).unwrap_or_default(),
            code(&alert.id),
        ]
    });
    table(
        page,
        ["Level", "What happened", "Rule", "Do first", "Id"],
        rows,
    );
}

fn packages(page: &mut String, report: &Report) {
    const TITLE: &str = "Packages whose code ran";
    let row = |run: &PackageRun| {
        [
            code(&package_name(&run.package)),
            cell(&run.package.kind),
            run.lifecycle.as_deref().map(cell).unwrap_or_default(),
        ]
    };
    // Only some managers have a list of the packages whose scripts may run.
    if report.packages.iter().all(|run| run.approved.is_none()) {
        let columns = ["Package", "Type", "Lifecycle"];
        return folded(page, TITLE, columns, report.packages.iter().map(row));
    }
    let rows = report.packages.iter().map(|run| {
        let [package, kind, lifecycle] = row(run);
        let approved = match run.approved {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        [package, kind, lifecycle, approved.to_owned()]
    });
    let columns = ["Package", "Type", "Lifecycle", "Approved"];
    folded(page, TITLE, columns, rows);
}

fn connections(page: &mut String, report: &Report) {
    let rows = report.connections.iter().map(|connection| {
        [
            code(&peer(connection)),
            cell(&connection.class),
            cell(&connection.transport),
            outcome_name(connection.outcome).to_owned(),
            connection.count.to_string(),
        ]
    });
    folded(
        page,
        "Connections",
        ["Destination", "Class", "Transport", "Outcome", "Count"],
        rows,
    );
}

fn peer(connection: &Connection) -> String {
    let address = match (&connection.ip, connection.port) {
        (Some(ip), Some(port)) if ip.contains(':') => format!("[{ip}]:{port}"),
        (Some(ip), Some(port)) => format!("{ip}:{port}"),
        (Some(ip), None) => ip.clone(),
        (None, _) => connection.path.clone().unwrap_or_default(),
    };
    match &connection.domain {
        Some(domain) => format!("{domain} ({address})"),
        None => address,
    }
}

fn folded<const N: usize>(
    page: &mut String,
    title: &str,
    columns: [&str; N],
    rows: impl ExactSizeIterator<Item = [String; N]>,
) {
    if rows.len() == 0 {
        return;
    }
    let _ = writeln!(
        page,
        "<details><summary>{title} ({})</summary>\n",
        rows.len()
    );
    table(page, columns, rows);
    page.push_str("</details>\n\n");
}

fn table<const N: usize>(
    page: &mut String,
    columns: [&str; N],
    rows: impl ExactSizeIterator<Item = [String; N]>,
) {
    let count = rows.len();
    if count == 0 {
        return;
    }
    let _ = writeln!(page, "| {} |", columns.join(" | "));
    let _ = writeln!(page, "|{}", " --- |".repeat(N));
    for row in rows.take(ROWS) {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
    page.push('\n');
    more(page, count);
}

fn list(page: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    let count = lines.len();
    if count == 0 {
        return;
    }
    let _ = writeln!(page, "<details><summary>{title} ({count})</summary>\n");
    for line in lines.take(ROWS) {
        let _ = writeln!(page, "- {line}");
    }
    page.push('\n');
    more(page, count);
    page.push_str("</details>\n\n");
}

fn more(page: &mut String, count: usize) {
    if count > ROWS {
        let _ = writeln!(page, "{} more are in the report.\n", count - ROWS);
    }
}

/// Plain text in a cell.
fn cell(hostile: &str) -> String {
    text(&crate::alert::limit::cut(hostile, CELL))
}

/// A name, path or command: in `<code>`, where nothing becomes a mention or a link. Backquotes
/// would show the entities.
fn code(hostile: &str) -> String {
    format!("<code>{}</code>", cell(hostile))
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
