//! `pkgwarden explain ALERT-ID|FILE|-`: an alert told whole, from what the daemon recorded or, on any
//! machine, from a pasted one.

mod named;
mod stored;

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::records::StateArgs;
use crate::alert::escape::terminal;
use crate::alert::explain::{alert_page, health_page};
use crate::alert::page::Style;
use crate::alert::paste::{self, PasteError, Pasted};
use crate::detect::Playbook;
pub(super) use named::named;
use stored::{Found, StoredError};

/// An alert has at most 256 KiB; this is hundreds of the largest.
const INPUT_BYTES: u64 = 64 << 20;

/// Show the tree, timeline, evidence, rule and playbook of an alert.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The id of a recorded alert, or its first six characters or more; a file with an alert as
    /// JSON, several as NDJSON, or an entry from `journalctl -o json --all`; `-` reads standard input
    #[arg(value_name = "ALERT-ID|FILE|-")]
    what: PathBuf,
    #[command(flatten)]
    state: StateArgs,
}

/// Why nothing was explained.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExplainError {
    /// The input can't be read.
    #[error("can't read {input}: {source}")]
    Read {
        /// As typed, escaped.
        input: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// More than [`INPUT_BYTES`].
    #[error("{input} is larger than 64 MiB; give the one alert to explain")]
    TooLarge {
        /// As typed, escaped.
        input: String,
    },
    /// It is not UTF-8.
    #[error("{input}: line {line}, column {column}: not UTF-8, so not JSON")]
    Encoding {
        /// As typed, escaped.
        input: String,
        /// From 1.
        line: usize,
        /// In bytes, from 1.
        column: usize,
    },
    /// It is not an alert.
    #[error("{input}: {}", terminal(&source.to_string()))]
    Paste {
        /// As typed, escaped.
        input: String,
        /// What and where.
        source: PasteError,
    },
    /// What was recorded does not have it.
    #[error(transparent)]
    Stored(StoredError),
    /// The page can't be written.
    #[error("can't write the explanation: {0}")]
    Write(io::Error),
}

impl ExplainError {
    /// The status that it ends with.
    pub(super) fn status(&self) -> ExitCode {
        match self {
            Self::Stored(StoredError::Records(error)) => error.status(),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Explains everything in the input on standard output. `playbook` finds a rule's by its id.
pub(super) fn run(
    args: &Args,
    playbook: &dyn Fn(&str) -> Option<Playbook>,
) -> Result<(), ExplainError> {
    let no_color = std::env::var_os("NO_COLOR");
    let out = io::stdout();
    let style = Style::choose(out.is_terminal(), no_color.as_deref());
    let name = args.what.as_path();
    if let Some(id) = name.to_str().filter(|name| stored::is_id(name)) {
        let found = stored::find(id, &args.state).map_err(ExplainError::Stored)?;
        let page = match found {
            Found::Alert(alert, report) => {
                let playbook = playbook(&alert.rule.id);
                alert_page(&alert, playbook.as_ref(), report.as_deref(), style)
            }
            Found::Health(health) => health_page(&health, style),
        };
        show(&page, out)
    } else if name == Path::new("-") {
        explain(io::stdin().lock(), "standard input", playbook, style, out)
    } else {
        let input = format!("`{}`", terminal(&name.to_string_lossy()));
        let file = File::open(name).map_err(|source| ExplainError::Read {
            input: input.clone(),
            source,
        })?;
        explain(file, &input, playbook, style, out)
    }
}

fn explain(
    from: impl Read,
    input: &str,
    playbook: &dyn Fn(&str) -> Option<Playbook>,
    style: Style,
    out: impl Write,
) -> Result<(), ExplainError> {
    let text = read(from, input)?;
    let found = paste::read(&text).map_err(|source| ExplainError::Paste {
        input: input.to_owned(),
        source,
    })?;
    let pages: Vec<String> = found
        .iter()
        .map(|record| match record {
            Pasted::Alert(alert) => {
                alert_page(alert, playbook(&alert.rule.id).as_ref(), None, style)
            }
            Pasted::Health(health) => health_page(health, style),
        })
        .collect();
    let text = pages.join(&format!("\n{}\n\n", "─".repeat(80)));
    show(&text, out)
}

fn show(text: &str, mut out: impl Write) -> Result<(), ExplainError> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // `explain x | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(ExplainError::Write),
    }
}

fn read(from: impl Read, input: &str) -> Result<String, ExplainError> {
    let input = || input.to_owned();
    let mut bytes = Vec::new();
    from.take(INPUT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ExplainError::Read {
            input: input(),
            source,
        })?;
    if bytes.len() as u64 > INPUT_BYTES {
        return Err(ExplainError::TooLarge { input: input() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line_start = good
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        ExplainError::Encoding {
            input: input(),
            line: good.iter().filter(|&&b| b == b'\n').count() + 1,
            column: good.len() - line_start + 1,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    fn explained(input: &[u8]) -> Result<String, String> {
        let mut out = Vec::new();
        let playbook = |rule: &str| {
            (rule == sample::postinstall().rule.id).then(|| Playbook {
                hunt: vec!["Look everywhere.".into()],
                ..Playbook::default()
            })
        };
        explain(input, "standard input", &playbook, Style::Plain, &mut out)
            .map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn two_alerts_are_two_pages_with_the_playbook_of_their_rule() {
        let line = serde_json::to_string(&sample::postinstall()).unwrap();
        let text = explained(format!("{line}\n{line}\n").as_bytes()).unwrap();
        assert_eq!(text.matches("MEDIUM left-pad@1.3.0").count(), 2);
        assert_eq!(text.matches("1. Look everywhere.").count(), 2);
    }

    #[test]
    fn bad_input_says_where_and_stays_harmless() {
        assert_eq!(
            explained(b"{\n\"a\": \xff}").unwrap_err(),
            "standard input: line 2, column 6: not UTF-8, so not JSON"
        );
        assert_eq!(
            explained("{\"schema\":\"pkgwarden.\u{202e}\"}".as_bytes()).unwrap_err(),
            "standard input: line 1, column 1: this version reads pkgwarden.alert/1 and \
             pkgwarden.health/1, and this is pkgwarden.\\u{202e}"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let args = Args {
            what: "/nonexistent/a\nb".into(),
            state: StateArgs { state: None },
        };
        assert_eq!(
            run(&args, &|_| None).unwrap_err().to_string(),
            "can't read `/nonexistent/a\\nb`: No such file or directory (os error 2)"
        );
    }
}
