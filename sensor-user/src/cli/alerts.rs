//! `pkgwarden alerts`: what was recorded, newest first.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use terminal_size::{Width, terminal_size};

use super::records::{RecordsError, Source, StateArgs, complain, go_on, warn};
use super::since::{DEFAULT, Since, since};
use crate::alert::escape;
use crate::alert::schema::Row;
use crate::detect::Level;
use crate::sink::{self, Style, Text};
use crate::state::{Entry, Query, Record};

/// Narrow enough that each row is a block of its own.
const BLOCK: u16 = 80;

/// Show recorded alerts, newest first, and what was wrong with pkgwarden itself
#[derive(Debug, Clone, clap::Args)]
pub(super) struct AlertsArgs {
    /// Show alerts as they come; with --since those from then on before them, oldest first
    #[arg(short, long)]
    follow: bool,
    /// From when on: 30m, 2h, 7d, today, 2026-01-31 or 2026-01-31T09:00:00Z [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Leave out what is below: informational, low, medium, high, critical
    #[arg(long, value_name = "LEVEL", value_parser = super::level)]
    level: Option<Level>,
    /// Show also what a filter or --trust silenced
    #[arg(long)]
    suppressed: bool,
    /// `json`: one object a line. `table`: the eight columns of the original detection. `ocsf`: one
    /// Detection Finding a line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Table,
    Ocsf,
}

/// Does what the options say.
pub(super) fn alerts(args: &AlertsArgs) -> ExitCode {
    match show(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            error.status()
        }
    }
}

fn show(args: &AlertsArgs) -> Result<(), RecordsError> {
    let since = match args.since {
        None if !args.follow => super::since::since(DEFAULT).ok(),
        given => given,
    };
    let query = Query {
        alerts: true,
        suppressed: args.suppressed,
        health: true,
        since: since.map(Since::nanoseconds),
        min_level: args.level,
        ..Query::default()
    };
    let source = Source::find(&args.state)?;
    let out = io::stdout();
    let width = || terminal_size().map(|(Width(width), _)| width);
    let width = out.is_terminal().then(width).flatten();
    let no_color = std::env::var_os("NO_COLOR");
    let mut listing = Listing {
        format: args.format,
        style: Style::choose(out.is_terminal(), no_color.as_deref()),
        width,
        out,
        rows: (!args.follow).then(Vec::new),
        alerts: 0,
        health: 0,
    };
    if args.follow {
        return source.follow(&query, |entry| listing.show(entry));
    }
    let end = source.each(&query, false, |entry| listing.show(entry))?;
    listing.finish(since);
    warn(&end);
    Ok(())
}

/// Entries on standard output.
struct Listing {
    format: Format,
    style: Style,
    width: Option<u16>,
    out: io::Stdout,
    /// A table is laid out when all its rows are known; of one that is followed they never are.
    rows: Option<Vec<Row>>,
    alerts: u64,
    health: u64,
}

impl Listing {
    fn show(&mut self, entry: Entry) -> ControlFlow<()> {
        let record = match &entry.record {
            Record::Alert(alert) | Record::Suppressed(alert) => sink::Record::Alert(alert),
            Record::Health(health) => sink::Record::Health(health),
            Record::Session(_) => return ControlFlow::Continue(()),
        };
        let is_first = self.alerts + self.health == 0;
        match record {
            sink::Record::Alert(_) => self.alerts += 1,
            sink::Record::Health(_) => self.health += 1,
        }
        let written = match (self.format, record) {
            (Format::Json, record) => self.write(&(record.json() + "\n")),
            (Format::Text, record) => self.text(record, is_first),
            (Format::Table, sink::Record::Alert(alert)) => self.row(alert.row.clone()),
            (Format::Ocsf, sink::Record::Alert(alert)) => {
                self.write(&(escape::json(&sink::ocsf(alert)) + "\n"))
            }
            (Format::Table | Format::Ocsf, sink::Record::Health(_)) => Ok(()),
        };
        go_on(written)
    }

    fn text(&mut self, record: sink::Record<'_>, is_first: bool) -> io::Result<()> {
        if !is_first {
            self.write("\n")?;
        }
        let lock = self.out.lock();
        Text::new(lock, self.style, Level::Informational)
            .recorded()
            .write(record)
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        match &mut self.rows {
            Some(rows) => rows.push(row),
            None => {
                let block = sink::table(&[row], Some(BLOCK)) + "\n";
                self.write(&block)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, since: Option<Since>) {
        if let (Format::Table, Some(rows)) = (self.format, &self.rows)
            && !rows.is_empty()
        {
            super::print(&sink::table(rows, self.width));
        }
        if self.alerts == 0 && !matches!(self.format, Format::Json | Format::Ocsf) {
            let since = since.map(Since::shown).unwrap_or_default();
            eprintln!("pkgwarden: no such alert is recorded since {since}");
        }
        if self.health > 0 && matches!(self.format, Format::Table | Format::Ocsf) {
            eprintln!(
                "pkgwarden: records about the sensor itself that this format has no place for: {}; \
                 see --format text",
                self.health
            );
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}
