//! An alert by its id, from what was recorded, with the report of its session.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::alert::report::Report;
use crate::alert::schema::Alert;
use crate::cli::records::{RecordsError, Source, StateArgs, warn};
use crate::health::Health;
use crate::state::{Query, Record};

/// Shorter words are too likely to be the name of a file.
const LEAST: usize = 6;

/// Alerts that an ambiguous beginning names in the message.
const NAMED: usize = 5;

/// Whether it can only be meant as an id or the beginning of one: a file in the working directory,
/// which may be hostile, can't take its place.
pub(super) fn is_id(text: &str) -> bool {
    text.len() >= LEAST && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// What an id names.
#[derive(Debug)]
pub(super) enum Found {
    Alert(Box<Alert>, Option<Box<Report>>),
    Health(Box<Health>),
}

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum StoredError {
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error(
        "no alert {id} is recorded here: `pkgwarden alerts --since 30d --suppressed` shows all; of \
         another machine's alert give the JSON, and a file of that name as ./{id}"
    )]
    None { id: String },
    #[error("{id} is the beginning of several ids: {}", which.join(", "))]
    Ambiguous { id: String, which: Vec<String> },
}

/// Looks the id up, newest first.
pub(super) fn find(id: &str, state: &StateArgs) -> Result<Found, StoredError> {
    let id = id.to_ascii_lowercase();
    let query = Query {
        alerts: true,
        suppressed: true,
        health: true,
        sessions: true,
        id: Some(id.clone()),
        ..Query::default()
    };
    let mut found = BTreeMap::new();
    let mut reports: Vec<Box<Report>> = Vec::new();
    let end = Source::find(state)?.each(&query, false, |entry| {
        match entry.record {
            Record::Alert(alert) | Record::Suppressed(alert) => {
                // The newest one of an id.
                found
                    .entry(alert.id.clone())
                    .or_insert(Found::Alert(alert, None));
            }
            Record::Health(health) => {
                found
                    .entry(health.id.clone())
                    .or_insert(Found::Health(health));
            }
            Record::Session(report) => reports.push(report),
        }
        ControlFlow::Continue(())
    })?;
    if found.len() > 1 {
        let which = found.into_keys().take(NAMED).collect();
        return Err(StoredError::Ambiguous { id, which });
    }
    match found.into_values().next() {
        None => {
            warn(&end);
            Err(StoredError::None { id })
        }
        Some(Found::Alert(alert, _)) => {
            let report = reports
                .into_iter()
                .find(|report| report.alerts.contains(&alert.id));
            Ok(Found::Alert(alert, report))
        }
        Some(found) => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn an_id_or_its_beginning_is_told_from_a_file() {
        assert!(is_id("c2b1f0d4-1f7e-5c3a-9a53-5f1f8f0a6b11"));
        assert!(is_id("c2b1f0"));
        for file in ["c2b1f", "./c2b1f0", "-", "alerts.ndjson", "c2b1f0.json", ""] {
            assert!(!is_id(file), "{file}");
        }
    }
}
