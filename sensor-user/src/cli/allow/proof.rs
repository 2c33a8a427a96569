//! That a filter silences its alert, and that no attack which is known gets through with it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::rc::Rc;

use super::AllowError;
use super::filter::Narrow;
use crate::alert::row::basename;
use crate::alert::schema::Alert;
use crate::cli::recorded;
use crate::detect::{RuleSet, Subject, captures};
use crate::event::Event;

/// The rules without the new filter and with it.
pub(super) struct Proof<'p> {
    pub(super) alert: &'p Alert,
    pub(super) narrow: &'p Narrow,
    pub(super) before: RuleSet,
    pub(super) after: RuleSet,
}

impl Proof<'_> {
    /// What was proved, a sentence each.
    pub(super) fn sentences(self, capture: Option<&Path>) -> Result<Vec<String>, AllowError> {
        let mut sentences = vec![self.silences()?];
        let Self {
            alert,
            before,
            after,
            ..
        } = self;
        let (before, after) = (Rc::new(before), Rc::new(after));
        if let Some(path) = capture {
            sentences.push(on_capture(alert, path, &before, &after)?);
        }
        let (mut fire, mut silent) = (0, Vec::new());
        for (slug, text) in captures() {
            let events = events(text.as_bytes(), slug)?;
            if !fires(&before, slug, &events) {
                // Of a rule that was left out: nothing to lose.
                continue;
            }
            match fires(&after, slug, &events) {
                true => fire += 1,
                false => silent.push(slug),
            }
        }
        if !silent.is_empty() {
            let message = format!("it silences recorded attacks: {}", silent.join(", "));
            return Err(AllowError::Fails(message));
        }
        sentences.push(format!(
            "all {fire} recorded attacks still raise their alerts"
        ));
        Ok(sentences)
    }

    /// On the event as the alert tells it.
    fn silences(&self) -> Result<String, AllowError> {
        let subject = Subject::told(self.narrow.category, &self.alert.evidence.fields);
        let hits = self.after.evaluate(&subject);
        let of_filter = |id: &str| self.narrow.rules.iter().any(|(known, _)| known == id);
        for hit in hits.iter().filter(|hit| of_filter(&hit.rule.id)) {
            if hit.suppressed_by.as_ref() != Some(&self.narrow.id) {
                let message = format!("`{}` still matches the event", hit.rule.title);
                return Err(AllowError::Fails(message));
            }
        }
        let others: Vec<&str> = hits
            .iter()
            .filter(|hit| hit.suppressed_by.is_none() && !of_filter(&hit.rule.id))
            .map(|hit| hit.rule.title.as_str())
            .collect();
        Ok(match others.as_slice() {
            [] => "the alert falls silent".to_owned(),
            others => format!(
                "the alert falls silent; the same event is raised by other rules still: {}",
                others.join(", ")
            ),
        })
    }
}

/// On everything that was recorded when the alert was raised.
fn on_capture(
    alert: &Alert,
    path: &Path,
    before: &Rc<RuleSet>,
    after: &Rc<RuleSet>,
) -> Result<String, AllowError> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| {
        AllowError::Capture(format!("{shown}: the capture can't be opened: {error}"))
    })?;
    let events = events(BufReader::new(file), &shown)?;
    let raised = |rules| recorded::alerts(rules, &events).any(|raised| raised.id == alert.id);
    if !raised(before) {
        let message = format!(
            "{shown}: this capture does not raise the alert {}",
            alert.id
        );
        return Err(AllowError::Capture(message));
    }
    if raised(after) {
        return Err(AllowError::Fails(format!(
            "{shown} still raises the alert: a filter is void after an alert on credentials in the same \
             session"
        )));
    }
    Ok(format!("{shown} raises it no more"))
}

/// Whether the rule that a capture was recorded for finds it.
fn fires(rules: &Rc<RuleSet>, slug: &str, events: &[Event]) -> bool {
    recorded::alerts(rules, events).any(|alert| {
        let file = basename(&alert.rule.file);
        file.strip_suffix(".yml") == Some(slug)
    })
}

fn events(from: impl std::io::BufRead, name: &str) -> Result<Vec<Event>, AllowError> {
    recorded::events(from).map_err(|error| AllowError::Capture(format!("{name}: {error}")))
}
