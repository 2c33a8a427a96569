//! One alert told whole: who started whom, when, what matched, and what to do.

use super::escape::terminal;
use super::later::later;
use super::limit::cut;
use super::page::{Page, Style, colour, columns};
use super::report::Report;
use super::row::{account, basename, command_line};
use super::schema::{Alert, Completeness, ObservedWord, ProcessShort};
use super::summary::{endpoint, package_name};
use super::words::{branch_name, confidence_name, event_name, level_name, outcome_name};
use crate::detect::Playbook;
use crate::health::Health;

/// Columns of the page.
const WIDTH: usize = 80;

/// Of one command line in the tree.
const COMMAND: usize = 400;

/// Of the name of a file beside its command line.
const NAME: usize = 64;

/// Of one value of the evidence.
const VALUE: usize = 2_000;

/// Deeper processes stand below each other.
const DEEPEST: usize = 8;

/// The page of an alert. `playbook` is its rule's, where the rule is known here; `report` its
/// session's, where that is recorded.
pub fn alert_page(
    alert: &Alert,
    playbook: Option<&Playbook>,
    report: Option<&Report>,
    style: Style,
) -> String {
    let mut page = Page::new(WIDTH, style);
    let level = level_name(alert.level).to_uppercase();
    page.headline(&level, colour(alert.level), &alert.summary);
    head(&mut page, alert);
    tree(&mut page, alert);
    timeline(&mut page, alert);
    evidence(&mut page, alert);
    target(&mut page, alert);
    origin(&mut page, alert);
    rule(&mut page, alert);
    seen(&mut page, &alert.completeness);
    if let Some(report) = report {
        later(&mut page, alert, report);
    }
    actions(&mut page, alert, playbook);
    fields(&mut page, alert);
    page.finish()
}

/// The page of a health record.
pub fn health_page(health: &Health, style: Style) -> String {
    let mut page = Page::new(WIDTH, style);
    page.headline("SENSOR", colour(health.level), &health.cause);
    page.item("code", health.code.name());
    page.item("level", level_name(health.level));
    page.item("host", &health.host.name);
    page.item("time", &health.time);
    page.optional("since", health.since.as_deref());
    page.item("meaning", health.code.sentence());
    page.item("do", health.code.action());
    page.finish()
}

fn head(page: &mut Page, alert: &Alert) {
    page.item("branch", branch_name(alert.detection_branch));
    page.item("confidence", confidence_name(alert.confidence));
    for reason in &alert.level_reasons {
        page.item("level", reason);
    }
    page.item("time", &alert.time);
    page.item("host", &alert.host.name);
    page.item("user", &account(&alert.process.user));
    page.item("id", &alert.id);
}

fn tree(page: &mut Page, alert: &Alert) {
    page.section("Process tree");
    let mut depth = 0;
    for ancestor in alert.ancestry.iter().rev() {
        page.line(&branch(depth, ancestor.pid), &ancestor_line(ancestor));
        depth += 1;
    }
    let process = &alert.process;
    let marks: String = [
        (process.args_truncated, " [arguments cut]"),
        (process.deleted, " [deleted file]"),
        (process.memfd, " [memory only]"),
    ]
    .iter()
    .filter_map(|&(is, mark)| is.then_some(mark))
    .collect();
    let line = format!("{}{marks}", told(&process.executable, &process.args));
    page.marked(&branch(depth, process.pid), &line);
    page.item("executable", &process.executable);
    page.optional("script", process.script.as_deref());
    page.optional("sha256", process.hash.as_ref().map(|h| h.sha256.as_str()));
    page.item("in", &process.working_directory);
}

fn branch(depth: usize, pid: u32) -> String {
    match depth.min(DEEPEST) {
        0 => format!("  {pid} "),
        depth => format!("  {}└─ {pid} ", "   ".repeat(depth - 1)),
    }
}

fn ancestor_line(process: &ProcessShort) -> String {
    let mark = if process.args_truncated {
        " [arguments cut]"
    } else {
        ""
    };
    format!("{}{mark}", told(&process.executable, &process.args))
}

/// The command line, and the file that ran where the first word does not tell it.
fn told(executable: &str, args: &[String]) -> String {
    let file = basename(executable);
    match args.first() {
        None => cut(file, NAME),
        Some(first) if basename(first) == file => cut(&command_line(args), COMMAND),
        Some(_) => {
            let line = cut(&command_line(args), COMMAND);
            format!("{line} ({})", cut(file, NAME))
        }
    }
}

fn timeline(page: &mut Page, alert: &Alert) {
    let mut moments: Vec<(&str, String)> = Vec::new();
    if let Some(install) = &alert.install {
        moments.push((
            &install.started,
            format!("{} began", cut(&install.command, COMMAND)),
        ));
    }
    moments.push((
        &alert.process.start,
        format!("process {} began", alert.process.pid),
    ));
    for link in &alert.links {
        moments.push((&link.time, format!("{} [{}]", link.summary, link.alert_id)));
    }
    moments.push((&alert.time, "this alert".to_owned()));
    moments.sort_by(|a, b| a.0.cmp(b.0));
    page.section("Timeline");
    for (time, what) in moments {
        // The day stands above; a time that is none of ours stays as it is.
        let clock = match time.get(11..23) {
            Some(clock)
                if clock
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b":.".contains(&b)) =>
            {
                clock
            }
            _ => "?",
        };
        page.line(&format!("  {clock:<14}"), &what);
    }
}

fn evidence(page: &mut Page, alert: &Alert) {
    let evidence = &alert.evidence;
    page.section("Evidence");
    page.item(
        "event",
        &format!(
            "{}, {}",
            event_name(evidence.event),
            match evidence.observed {
                ObservedWord::Kernel => "read from the kernel's own object",
                ObservedWord::Argument =>
                    "read from the call's argument, which the caller may have changed meanwhile",
            }
        ),
    );
    for matched in &evidence.matched {
        page.item(
            "matched",
            &format!(
                "{}: {} = {}",
                matched.selection,
                matched.field,
                cut(&matched.value, VALUE)
            ),
        );
    }
    page.optional("suppressed", evidence.suppressed_by.as_deref());
}

/// Last, because most of it stands above in words. The names are Sigma's, but a pasted alert may say
/// what it likes.
fn fields(page: &mut Page, alert: &Alert) {
    if alert.evidence.fields.is_empty() {
        return;
    }
    page.section("All fields that rules could ask for");
    for (field, value) in &alert.evidence.fields {
        let start = format!("  {} = ", terminal(field));
        let value = cut(value, VALUE);
        match columns(&start) <= WIDTH / 2 {
            true => page.line(&start, &value),
            false => page.line("  ", &format!("{field} = {value}")),
        }
    }
}

fn target(page: &mut Page, alert: &Alert) {
    if let Some(destination) = &alert.destination {
        page.section("Destination");
        page.optional("address", endpoint(destination).as_deref());
        page.optional("name", destination.domain.as_deref());
        page.item("class", &destination.class);
        page.item("looked up", &destination.resolved);
        page.item("outcome", outcome_name(destination.outcome));
    }
    if let Some(file) = &alert.file {
        page.section("File");
        page.item("path", &cut(&file.path, VALUE));
        page.optional("on the host", file.host_path.as_deref());
        page.item("operation", &file.operation);
        page.item("outcome", &file.outcome);
        page.optional("mode", file.mode.as_deref());
        page.optional("sha256", file.hash.as_ref().map(|h| h.sha256.as_str()));
    }
}

fn origin(page: &mut Page, alert: &Alert) {
    if let Some(package) = &alert.package {
        page.section("Package");
        page.item("name", &package_name(package));
        page.item("purl", &package.purl);
        page.optional("claims", package.claimed_name.as_deref());
        page.optional("lifecycle", package.lifecycle.as_deref());
        page.optional(
            "script",
            package.script.as_deref().map(|s| cut(s, VALUE)).as_deref(),
        );
        page.optional("path", package.path.as_deref());
        page.optional("fetched from", package.registry.as_deref());
        page.optional("resembles", package.resembles.as_deref());
        page.item("confidence", confidence_name(package.confidence));
    }
    if let Some(install) = &alert.install {
        page.section("Install");
        page.item("command", &cut(&install.command, VALUE));
        page.item("in", &install.working_directory);
        page.item("id", &install.id);
    }
    if let Some(ci) = &alert.ci {
        page.section("CI");
        page.item("system", &ci.system);
        for (label, value) in [
            ("repository", &ci.repository),
            ("workflow", &ci.workflow),
            ("job", &ci.job),
            ("step", &ci.step),
            ("run", &ci.run_id),
            ("attempt", &ci.run_attempt),
            ("url", &ci.url),
        ] {
            page.optional(label, value.as_deref());
        }
    }
    if let Some(container) = &alert.container {
        page.section("Container");
        page.item("id", &container.id);
        page.item("runtime", &container.runtime);
        page.optional("name", container.name.as_deref());
        page.optional("image", container.image.as_deref());
    }
}

fn rule(page: &mut Page, alert: &Alert) {
    let rule = &alert.rule;
    page.section("Rule");
    page.item("title", &rule.title);
    page.item("level", level_name(rule.level));
    page.item("file", &rule.file);
    page.item("id", &rule.id);
    if !rule.tags.is_empty() {
        page.item("tags", &rule.tags.join(" "));
    }
    for reference in &rule.references {
        page.item("see", reference);
    }
}

fn seen(page: &mut Page, completeness: &Completeness) {
    page.section("What the sensor saw");
    page.line(
        "  ",
        &if completeness.complete {
            let lost = match completeness.generated {
                0 => "nothing was lost".to_owned(),
                events => format!("none of {events} events was lost"),
            };
            format!("Everything: every probe was attached and {lost}.")
        } else {
            let mut why = Vec::new();
            if completeness.lost > 0 {
                let (lost, all) = (completeness.lost, completeness.generated);
                why.push(format!("{lost} of {all} events were lost"));
            }
            if completeness.started_late {
                why.push("the watch started late".to_owned());
            }
            match why.is_empty() {
                true => "Not everything.".to_owned(),
                false => format!("Not everything: {}.", why.join(", and ")),
            }
        },
    );
    for sentence in &completeness.degraded {
        page.line("  ", sentence);
    }
}

fn actions(page: &mut Page, alert: &Alert, playbook: Option<&Playbook>) {
    steps(page, "Do", &alert.response);
    match playbook {
        Some(playbook) => {
            steps(page, "Investigate", &playbook.investigate);
            if playbook.respond != alert.response {
                steps(page, "Respond", &playbook.respond);
            }
            steps(page, "Hunt", &playbook.hunt);
        }
        None => {
            page.section("Playbook");
            page.line(
                "  ",
                "This rule is not among the rules loaded here; give the folder it came from with \
                 --rules to see its playbook.",
            );
        }
    }
}

fn steps(page: &mut Page, title: &str, steps: &[String]) {
    if steps.is_empty() {
        return;
    }
    page.section(title);
    for (n, step) in steps.iter().enumerate() {
        page.line(&format!("  {}. ", n + 1), step);
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
