//! `pkgwarden sessions`: what each install did.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use super::records::{RecordsError, Source, StateArgs, complain, go_on, warn};
use super::since::{DEFAULT, Since, since};
use crate::alert::escape;
use crate::alert::report::Report;
use crate::sink::{self, Style};
use crate::state::{Entry, Query, Record};

/// Show install sessions, newest first: command, packages whose scripts ran, what they touched, verdict
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SessionsArgs {
    /// From when on: 30m, 2h, 7d, today, 2026-01-31 or 2026-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since, default_value = DEFAULT)]
    since: Since,
    /// `json`: one session report a line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Does what the options say.
pub(super) fn sessions(args: &SessionsArgs) -> ExitCode {
    match show(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            error.status()
        }
    }
}

fn show(args: &SessionsArgs) -> Result<(), RecordsError> {
    let query = Query {
        sessions: true,
        since: Some(args.since.nanoseconds()),
        ..Query::default()
    };
    let mut out = io::stdout();
    let no_color = std::env::var_os("NO_COLOR");
    let style = Style::choose(out.is_terminal(), no_color.as_deref());
    let mut latest = Latest::default();
    let mut shown = 0;
    let end = Source::find(&args.state)?.each(&query, false, |entry| {
        let Some(report) = latest.take(entry) else {
            return ControlFlow::Continue(());
        };
        let text = match args.format {
            Format::Json => escape::json(&report) + "\n",
            Format::Text if shown == 0 => sink::session(&report, style),
            Format::Text => format!("\n{}", sink::session(&report, style)),
        };
        shown += 1;
        go_on(out.write_all(text.as_bytes()))
    })?;
    let _ = out.flush();
    if shown == 0 && args.format == Format::Text {
        let since = args.since.shown();
        eprintln!("pkgwarden: no install session is recorded since {since}");
    }
    warn(&end);
    Ok(())
}

/// Each session once, as it was told last: one that ran on was told before its end, too.
#[derive(Debug, Default)]
pub(super) struct Latest(HashSet<String>);

impl Latest {
    /// The report in an entry, if it is a session that did not come yet. Newest first.
    pub(super) fn take(&mut self, entry: Entry) -> Option<Report> {
        let Record::Session(report) = entry.record else {
            return None;
        };
        match report.installs.first() {
            Some(install) => self.0.insert(install.id.clone()).then_some(*report),
            None => Some(*report),
        }
    }
}
