//! What was named on the command line, for verbs that do something else with it than show it.

use std::fs::File;
use std::io;
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
    let (input, text) = if what == Path::new("-") {
        let input = "standard input".to_owned();
        let text = read(io::stdin().lock(), &input)?;
        (input, text)
    } else {
        let input = format!("`{}`", terminal(&what.to_string_lossy()));
        let file = File::open(what).map_err(|source| ExplainError::Read {
            input: input.clone(),
            source,
        })?;
        let text = read(file, &input)?;
        (input, text)
    };
    paste::read(&text).map_err(|source| ExplainError::Paste { input, source })
}
