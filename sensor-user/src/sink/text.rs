//! Alerts for a person who watches a terminal or reads a job's log.

use std::io::{self, Write};

use super::Record;
use crate::alert::page::{Page, colour};
use crate::alert::row::basename;
use crate::alert::schema::Alert;
use crate::alert::words::level_name;
use crate::detect::Level;
use crate::health::Health;

pub use crate::alert::page::Style;

/// Columns. Not the terminal's width: a job's log has none, and 80 can be read everywhere.
const WIDTH: usize = 80;

/// Shows what is at least `min_level`, counts the rest.
#[derive(Debug)]
pub struct Text<W> {
    out: W,
    style: Style,
    min_level: Level,
    below: u64,
    /// Not of what happens now: when it was, and where, must be told.
    recorded: bool,
}

impl<W: Write> Text<W> {
    /// Writes to `out`, which is stderr.
    pub fn new(out: W, style: Style, min_level: Level) -> Self {
        Self {
            out,
            style,
            min_level,
            below: 0,
            recorded: false,
        }
    }

    /// For records of another time and perhaps of another machine.
    pub fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }

    /// Shows or counts one record, with one write.
    pub fn write(&mut self, record: Record<'_>) -> io::Result<()> {
        let page = match record {
            Record::Alert(alert) if alert.level < self.min_level => {
                self.below += 1;
                return Ok(());
            }
            Record::Alert(alert) => alert_page(alert, self.style, self.recorded),
            // Never left out: a blind sensor is not a matter of taste.
            Record::Health(health) => health_page(health, self.style, self.recorded),
        };
        self.out.write_all(page.as_bytes())?;
        self.out.flush()
    }

    /// Says how many alerts were not shown.
    pub fn finish(&mut self) -> io::Result<()> {
        let (count, verb) = match self.below {
            0 => return Ok(()),
            1 => ("1 alert".to_owned(), "is"),
            n => (format!("{n} alerts"), "are"),
        };
        let mut page = Page::new(WIDTH, self.style);
        page.line(
            "pkgwarden: ",
            &format!(
                "{count} below {} {verb} not shown here; the report lists {}",
                level_name(self.min_level),
                if self.below == 1 { "it" } else { "them" }
            ),
        );
        self.out.write_all(page.finish().as_bytes())?;
        self.out.flush()
    }
}

fn alert_page(alert: &Alert, style: Style, recorded: bool) -> String {
    let mut page = Page::new(WIDTH, style);
    let level = level_name(alert.level).to_uppercase();
    page.headline(
        &format!("pkgwarden {level}"),
        colour(alert.level),
        &alert.summary,
    );
    if recorded {
        page.item("time", &when(&alert.time, &alert.host.name));
        page.optional("suppressed", alert.evidence.suppressed_by.as_deref());
    }
    page.item("rule", &alert.title);
    page.item("process", &chain(alert));
    page.optional(
        "container",
        alert
            .container
            .as_ref()
            .map(|c| {
                let id: String = c.id.chars().take(12).collect();
                format!("{id} {}", c.name.as_deref().unwrap_or_default())
            })
            .as_deref(),
    );
    if !alert.completeness.complete {
        page.item("note", "not everything of this session was seen");
    }
    page.item("id", &alert.id);
    page.optional("do first", alert.response.first().map(String::as_str));
    page.finish()
}

fn when(time: &str, host: &str) -> String {
    // RFC 3339 in UTC: the day and the second.
    match (time.get(..10), time.get(11..19)) {
        (Some(day), Some(clock)) => format!("{day} {clock} UTC, on {host}"),
        _ => format!("{time}, on {host}"),
    }
}

/// `bash > node > dash`, root first, the nearest six.
fn chain(alert: &Alert) -> String {
    let mut names: Vec<&str> = alert
        .ancestry
        .iter()
        .take(6)
        .map(|p| basename(&p.executable))
        .collect();
    if alert.ancestry.len() > names.len() {
        names.push("…");
    }
    names.reverse();
    names.push(basename(&alert.process.executable));
    format!("{} (pid {})", names.join(" > "), alert.process.pid)
}

fn health_page(health: &Health, style: Style, recorded: bool) -> String {
    let mut page = Page::new(WIDTH, style);
    page.headline("pkgwarden SENSOR", colour(health.level), &health.cause);
    if recorded {
        page.item("time", &when(&health.time, &health.host.name));
    }
    page.item("code", health.code.name());
    page.item("meaning", health.code.sentence());
    page.item("do first", health.code.action());
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    fn shown(records: &[Record<'_>], style: Style) -> String {
        let mut out = Vec::new();
        let mut text = Text::new(&mut out, style, Level::Medium);
        for &record in records {
            text.write(record).unwrap();
        }
        text.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_alert_is_a_sentence_its_ground_and_the_first_step() {
        let (first, second) = (sample::postinstall(), sample::credential());
        insta::assert_snapshot!(shown(
            &[Record::Alert(&first), Record::Alert(&second)],
            Style::Plain
        ));
    }

    #[test]
    fn the_sensor_says_what_is_wrong_with_it() {
        insta::assert_snapshot!(shown(&[Record::Health(&sample::health())], Style::Plain));
    }

    #[test]
    fn low_alerts_are_counted_and_never_silently_dropped() {
        let mut alert = sample::postinstall();
        alert.level = Level::Low;
        let (one, two) = (Record::Alert(&alert), Record::Alert(&alert));
        assert_eq!(
            shown(&[one], Style::Plain),
            "pkgwarden: 1 alert below medium is not shown here; the report lists it\n"
        );
        assert_eq!(
            shown(&[one, two], Style::Plain),
            "pkgwarden: 2 alerts below medium are not shown here; the report lists them\n"
        );
    }

    #[test]
    fn what_was_recorded_says_when_and_where_and_what_silenced_it() {
        let mut alert = sample::postinstall();
        alert.evidence.suppressed_by = Some("internal registry".into());
        let mut out = Vec::new();
        let mut text = Text::new(&mut out, Style::Plain, Level::Medium).recorded();
        text.write(Record::Alert(&alert)).unwrap();
        text.write(Record::Health(&sample::health())).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn hostile_texts_steer_neither_the_terminal_nor_the_runner() {
        let mut alert = sample::everything_is("x\n::error::y\x1b[2J ##[z] \u{202e}");
        alert.summary = crate::alert::summary::sentence(&alert);
        let text = shown(&[Record::Alert(&alert)], Style::Plain);
        assert!(!text.contains(['\x1b', '\u{202e}']), "{text}");
        assert!(!text.contains("##["), "{text}");
        assert!(text.lines().all(|l| !l.trim_start().starts_with("::")));
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let alert = sample::postinstall();
        let plain = shown(&[Record::Alert(&alert)], Style::Plain);
        let coloured = shown(&[Record::Alert(&alert)], Style::Ansi);
        assert!(coloured.starts_with("\x1b[1;33mpkgwarden MEDIUM\x1b[0m "));
        let stripped = coloured
            .replace("\x1b[1;33m", "")
            .replace("\x1b[2m", "")
            .replace("\x1b[0m", "");
        assert_eq!(stripped, plain);
    }
}
