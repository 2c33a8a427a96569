//! A recording and the alerts that it raises, for verbs that try rules on it.

use std::io::BufRead;
use std::rc::Rc;

use crate::alert::schema::Alert;
use crate::core::{Core, Finding, Trust};
use crate::detect::RuleSet;
use crate::event::Event;
use crate::event::capture::Reader;

/// All events of a capture, or a sentence about the first that can't be read.
pub(super) fn events(from: impl BufRead) -> Result<Vec<Event>, String> {
    let reader = Reader::new(from).map_err(|error| error.to_string())?;
    reader
        .map(|event| event.map_err(|error| error.to_string()))
        .collect()
}

/// The alerts that a core with these rules raises on the events, in their order.
pub(super) fn alerts(rules: &Rc<RuleSet>, events: &[Event]) -> impl Iterator<Item = Box<Alert>> {
    let mut core = Core::sharing(Rc::clone(rules), Trust::default());
    events
        .iter()
        .flat_map(move |event| core.handle(event))
        .filter_map(|finding| match finding {
            Finding::Alert(alert) => Some(alert),
            _ => None,
        })
}
