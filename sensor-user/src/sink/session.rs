//! An install session for a person who reads a terminal: one block, 80 columns.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::alert::limit::cut;
use crate::alert::page::{Page, Style, colour};
use crate::alert::report::{Connection, PackageRun, Registry, Report};
use crate::alert::row::{account, command_line};
use crate::alert::summary::package_name;
use crate::alert::words::{level_name, outcome_name};
use crate::detect::Level;

const WIDTH: usize = 80;

/// Named one by one; the others are counted.
const NAMED: usize = 8;

/// Bytes of a command line.
const COMMAND: usize = 300;

/// Worst first.
const LEVELS: [Level; 5] = [
    Level::Critical,
    Level::High,
    Level::Medium,
    Level::Low,
    Level::Informational,
];

/// The block of one session.
pub fn session(report: &Report, style: Style) -> String {
    let mut page = Page::new(WIDTH, style);
    let (verdict, colour) = verdict(report);
    let install = report.installs.first();
    let command = match install {
        Some(install) => install.command.clone(),
        None => command_line(&report.command),
    };
    page.headline(verdict, colour, &cut(&command, COMMAND));
    page.item("when", &period(&report.started, &report.ended));
    if let Some(install) = install {
        let user = account(&install.user);
        page.item("by", &format!("{user}, with {}", install.installer));
        page.item("in", &install.working_directory);
    }
    if let Some(ci) = &report.ci {
        let parts = [&ci.repository, &ci.workflow, &ci.job, &ci.run_id];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        page.item("ci", &format!("{}: {}", ci.system, parts.join(" / ")));
    }
    if !report.registries.is_empty() {
        let registries = report.registries.iter();
        let told = registries.map(|one| format!("{} ({})", registry(one), one.source));
        page.item("registry", &named(told, ", "));
    }
    page.item("ran", &ran(report));
    touched(&mut page, report);
    page.item("alerts", &alerts(report));
    if !report.completeness.complete {
        page.item("unseen", &unseen(report));
    }
    if !report.still_running.is_empty() {
        let running = report.still_running.iter().map(|process| {
            let command = match process.args.as_slice() {
                [] => process.executable.clone(),
                args => cut(&command_line(args), COMMAND),
            };
            format!("{} {command}", process.pid)
        });
        page.item("runs on", &named(running, "; "));
    }
    page.optional("id", install.map(|install| install.id.as_str()));
    page.finish()
}

/// One word: findings before what may be missing.
fn verdict(report: &Report) -> (&'static str, &'static str) {
    let worst = LEVELS.into_iter().find(|level| count(report, *level) > 0);
    match worst {
        Some(level) => ("FINDINGS", colour(level)),
        None if !report.alerts.is_empty() => ("FINDINGS", colour(Level::Low)),
        None if !report.completeness.complete => ("INCOMPLETE", colour(Level::Medium)),
        None => ("CLEAN", "32"),
    }
}

fn count(report: &Report, level: Level) -> u64 {
    let counts = &report.alerts_by.level;
    counts.get(level_name(level)).copied().unwrap_or(0)
}

/// `2026-01-02 03:04:00 UTC, 20 s`
fn period(started: &str, ended: &str) -> String {
    let times = (started.parse::<Timestamp>(), ended.parse::<Timestamp>());
    let (Ok(started), Ok(ended)) = times else {
        return format!("{started}, until {ended}");
    };
    let seconds = ended.duration_since(started).as_secs();
    let length = match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    };
    format!("{}, {length}", started.strftime("%F %T UTC"))
}

fn ran(report: &Report) -> String {
    let programs = match report.processes {
        1 => "1 program".to_owned(),
        many => format!("{many} programs"),
    };
    if report.packages.is_empty() {
        return format!("{programs}, and no script of a package");
    }
    let packages = report.packages.iter().map(package);
    format!("{programs}, and scripts of {}", named(packages, ", "))
}

fn package(run: &PackageRun) -> String {
    let mut text = package_name(&run.package);
    let lifecycle = run.lifecycle.as_deref();
    let approved = match run.approved {
        Some(false) => Some("not approved"),
        Some(true) | None => None,
    };
    let notes: Vec<&str> = lifecycle.into_iter().chain(approved).collect();
    if !notes.is_empty() {
        let _ = write!(text, " ({})", notes.join(", "));
    }
    text
}

fn touched(page: &mut Page, report: &Report) {
    let connections = &report.connections;
    if !connections.is_empty() {
        page.item("connected", &named(connections.iter().map(peer), ", "));
    }
    let files = &report.files_outside_project;
    if !files.is_empty() {
        let some = named(files.iter().cloned(), ", ");
        page.item("wrote", &format!("outside the project: {some}"));
    }
    if connections.is_empty() && files.is_empty() {
        page.item(
            "touched",
            "no address, and no telling file outside the project",
        );
    }
}

/// `packages.corp.example:4873`
pub(super) fn registry(registry: &Registry) -> String {
    match registry.port {
        Some(port) if registry.host.contains(':') => format!("[{}]:{port}", registry.host),
        Some(port) => format!("{}:{port}", registry.host),
        None => registry.host.clone(),
    }
}

fn peer(connection: &Connection) -> String {
    let address = match (&connection.ip, connection.port) {
        (Some(ip), Some(port)) if ip.contains(':') => format!("[{ip}]:{port}"),
        (Some(ip), Some(port)) => format!("{ip}:{port}"),
        (Some(ip), None) => ip.clone(),
        (None, _) => connection.path.clone().unwrap_or_default(),
    };
    let mut text = match &connection.domain {
        Some(domain) => format!("{domain} {address}"),
        None => address,
    };
    let _ = write!(text, " {}", outcome_name(connection.outcome));
    if connection.count > 1 {
        let _ = write!(text, " ×{}", connection.count);
    }
    text
}

fn alerts(report: &Report) -> String {
    let by_level = LEVELS.into_iter().filter_map(|level| {
        let count = count(report, level);
        (count > 0).then(|| format!("{count} {}", level_name(level)))
    });
    let mut parts: Vec<String> = by_level.collect();
    if parts.is_empty() {
        parts.push("none".to_owned());
    }
    let suppressed: u64 = report.suppressed.values().sum();
    let shown = parts.join(", ");
    match suppressed {
        0 => shown,
        some => format!("{shown}; {some} suppressed"),
    }
}

fn unseen(report: &Report) -> String {
    let completeness = &report.completeness;
    let mut reasons = Vec::new();
    if completeness.lost > 0 {
        let (lost, generated) = (completeness.lost, completeness.generated);
        reasons.push(format!("{lost} of {generated} events were lost"));
    }
    if completeness.started_late {
        reasons.push("the watch began after the install".to_owned());
    }
    reasons.extend(completeness.degraded.iter().cloned());
    if reasons.is_empty() {
        reasons.push("something may be missing".to_owned());
    }
    reasons.join("; ")
}

/// The first few, and how many more.
fn named(all: impl ExactSizeIterator<Item = String>, between: &str) -> String {
    let count = all.len();
    let mut some: Vec<String> = all.take(NAMED).collect();
    if count > NAMED {
        some.push(format!("and {} more", count - NAMED));
    }
    some.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::escape::terminal;
    use crate::alert::page::columns;
    use crate::alert::report::AlertsBy;
    use crate::alert::sample;

    #[test]
    fn a_session_with_findings_says_who_ran_what_and_what_it_touched() {
        let mut report = sample::report();
        report.ci = sample::postinstall().ci;
        insta::assert_snapshot!(session(&report, Style::Plain));
    }

    #[test]
    fn without_findings_it_is_clean_or_incomplete() {
        let mut report = sample::report();
        report.alerts.clear();
        report.alerts_by = AlertsBy::default();
        report.suppressed.clear();
        report.still_running.clear();
        report.connections.clear();
        report.files_outside_project.clear();
        report.packages.clear();
        let clean = session(&report, Style::Plain);
        report.completeness = sample::incomplete();
        report.completeness.started_late = true;
        insta::assert_snapshot!(format!("{clean}\n{}", session(&report, Style::Plain)));
    }

    #[test]
    fn many_and_hostile_texts_fit_and_steer_nothing() {
        let hostile = "x\n::error::y\x1b[2J ##[z] \u{202e} ".repeat(40);
        let mut report = sample::report();
        report.command = vec![hostile.clone()];
        report.files_outside_project = vec![hostile.clone(); 30];
        report.installs[0].command = hostile.clone();
        report.installs[0].working_directory = hostile.clone();
        report.installs[0].user.name = Some(hostile.clone());
        report.packages[0].package.name = hostile.clone();
        report.still_running[0].args = vec![hostile.clone()];
        report.connections[0].domain = Some(hostile.clone());
        report.registries[0].source = hostile.clone();
        report.started = hostile;
        let text = session(&report, Style::Plain);
        for line in text.lines() {
            assert!(columns(line) <= WIDTH, "{line}");
            assert_eq!(terminal(line), line);
        }
        assert!(text.contains("and 22 more"), "{text}");
    }
}
