//! What was named on the command line: by an id, or as JSON in a file or on standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{ExplainError, Found, StateArgs, paste, read, stored, terminal};
use crate::alert::paste::Pasted;

/// The records of that id, file or standard input (`-`), in their order.
pub(in crate::cli) fn named(what: &Path, state: &StateArgs) -> Result<Vec<Pasted>, ExplainError> {
    if let Some(id) = what.to_str().filter(|name| stored::is_id(name)) {
        let found = stored::find(id, state).map_err(ExplainError::Stored)?;
        return Ok(vec![match found {
            Found::Alert(alert, _) => Pasted::Alert(alert),
            Found::Health(health) => Pasted::Health(health),
        }]);
    }
    pasted(what)
}

/// The records of that file or standard input, in their order.
pub(super) fn pasted(what: &Path) -> Result<Vec<Pasted>, ExplainError> {
    if what == Path::new("-") {
        return pasted_from(io::stdin().lock(), "standard input");
    }
    let input = format!("`{}`", terminal(&what.to_string_lossy()));
    let file = File::open(what).map_err(|source| ExplainError::Read {
        input: input.clone(),
        source,
    })?;
    pasted_from(file, &input)
}

/// `input` is what it is called in an error.
pub(super) fn pasted_from(from: impl Read, input: &str) -> Result<Vec<Pasted>, ExplainError> {
    let text = read(from, input)?;
    paste::read(&text).map_err(|source| ExplainError::Paste {
        input: input.to_owned(),
        source,
    })
}
