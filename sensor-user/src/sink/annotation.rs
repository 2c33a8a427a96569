//! Workflow commands that put an alert onto the page of a GitHub job.

use crate::alert::escape::{annotation, annotation_property};
use crate::alert::schema::Alert;
use crate::detect::Level;

/// GitHub shows this many of each kind for a step and drops the rest silently.
const SHOWN: u32 = 10;

/// Turns alerts into annotations until there are as many as are shown.
#[derive(Debug, Default)]
pub struct Annotations {
    errors: u32,
    warnings: u32,
    left_out: u64,
}

impl Annotations {
    /// High and critical are errors, medium is a warning; lower ones are in the report only.
    pub fn alert(&mut self, alert: &Alert) -> Option<String> {
        let (kind, count) = match alert.level {
            Level::Critical | Level::High => ("error", &mut self.errors),
            Level::Medium => ("warning", &mut self.warnings),
            Level::Low | Level::Informational => return None,
        };
        *count += 1;
        // One place is kept for what `finish` says.
        let room = if kind == "warning" { SHOWN - 1 } else { SHOWN };
        if *count > room {
            self.left_out += 1;
            return None;
        }
        Some(command(kind, &alert.title, &alert.summary))
    }

    /// What the page does not show: further alerts, and that the sensor was blind for a while.
    pub fn finish(&self, complete: bool) -> Option<String> {
        let mut said = Vec::new();
        match self.left_out {
            0 => {}
            1 => said.push("1 more alert is in the job summary and the report.".to_owned()),
            n => said.push(format!(
                "{n} more alerts are in the job summary and the report."
            )),
        }
        if !complete {
            said.push("Not everything was seen: an alert may be missing.".to_owned());
        }
        (!said.is_empty()).then(|| command("warning", "pkgwarden", &said.join(" ")))
    }
}

fn command(kind: &str, title: &str, message: &str) -> String {
    format!(
        "::{kind} title={}::{}",
        annotation_property(title),
        annotation(message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    #[test]
    fn a_medium_alert_is_a_warning_and_a_high_one_an_error() {
        let mut annotations = Annotations::default();
        assert_eq!(
            annotations.alert(&sample::postinstall()).unwrap(),
            "::warning title=Package script runs reconnaissance through a shell::left-pad@1.3.0 \
             (postinstall) ran `id > /tmp/x` through sh under npm install"
        );
        assert!(
            annotations
                .alert(&sample::callback())
                .unwrap()
                .starts_with("::error title=")
        );
        assert_eq!(annotations.finish(true), None);
    }

    #[test]
    fn a_command_line_forges_no_second_command() {
        let mut alert = sample::everything_is("x%0A::set-output name=a::b\n::stop-commands::t");
        alert.level = Level::Medium;
        let line = Annotations::default().alert(&alert).unwrap();
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains("x%250A"), "{line}");
    }

    #[test]
    fn the_eleventh_error_is_counted() {
        let mut annotations = Annotations::default();
        let alert = sample::callback();
        assert_eq!(
            (0..12).filter_map(|_| annotations.alert(&alert)).count(),
            10
        );
        assert_eq!(
            annotations.finish(false).unwrap(),
            "::warning title=pkgwarden::2 more alerts are in the job summary and the report. Not \
             everything was seen: an alert may be missing."
        );
    }
}
