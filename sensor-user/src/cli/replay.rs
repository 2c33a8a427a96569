//! `pkgwarden replay`: a recorded capture through the pure core. Needs no privileges.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::alert::escape;
use crate::alert::report::Report;
use crate::core::{Core, Finding, Settings};
use crate::detect::{Level, RuleSet, Sources};
use crate::event::capture::Reader;
use crate::names::Trust;
use crate::sink::{Ndjson, Record};

/// Run a recorded capture through the rules again
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// What `--record` wrote; `-` is standard input
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// Also use the rules in this folder
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Also use the filters in this folder
    #[arg(long, value_name = "DIR")]
    pub filters: Vec<PathBuf>,
    /// Leave out the rules that come with pkgwarden
    #[arg(long)]
    pub no_default_rules: bool,
    /// A host or network that connections are expected to
    #[arg(long, value_name = "HOST|CIDR")]
    pub trust: Vec<String>,
    /// Print alerts of this level and above
    #[arg(long, value_name = "LEVEL", default_value = "informational", value_parser = level)]
    pub min_level: Level,
    /// Print suppressed alerts too
    #[arg(long)]
    pub suppressed: bool,
    /// Write the session report to this file; `-` is standard output, after the alerts
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

fn level(name: &str) -> Result<Level, String> {
    let value = serde_json::Value::String(name.to_owned());
    serde_json::from_value(value)
        .map_err(|_| "one of informational, low, medium, high, critical".to_owned())
}

/// Prints alerts and health records to standard output, one JSON object a line. 0 when the whole
/// capture was read, 1 when something failed.
pub fn replay(args: &ReplayArgs) -> ExitCode {
    match run(args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            // Nobody to tell when this fails too.
            let _ = writeln!(io::stderr(), "pkgwarden: {}", escape::terminal(&sentence));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &ReplayArgs, out: &mut impl Write) -> Result<(), String> {
    let mut trust = Trust::default();
    for given in &args.trust {
        trust.add(given).map_err(|error| error.to_string())?;
    }
    let rules = RuleSet::load(&Sources {
        shipped: !args.no_default_rules,
        rule_dirs: args.rules.clone(),
        filter_dirs: args.filters.clone(),
    })
    .map_err(|errors| errors.to_string())?;
    let mut core = Core::new(Settings { rules, trust });

    let read = play(args, &mut core, out);
    // What could be read counts, even when the end is missing.
    let reported = match &args.report {
        None => Ok(()),
        Some(path) => write_report(&core.report(), path, out),
    };
    read.and(reported)
}

fn play(args: &ReplayArgs, core: &mut Core, out: &mut impl Write) -> Result<(), String> {
    let shown = args.capture.display();
    let input: Box<dyn BufRead> = if args.capture == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.capture).map_err(|error| {
            format!("{shown}: the capture can't be opened: {error}; give the FILE of --record")
        })?;
        Box::new(BufReader::new(file))
    };
    let reader = Reader::new(input).map_err(|error| format!("{shown}: {error}"))?;
    let mut sink = Ndjson::new(out, "standard output");
    let mut read = Ok(());
    'events: for event in reader {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                read = Err(format!("{shown}: {error}"));
                break;
            }
        };
        for finding in core.handle(&event) {
            let record = match &finding {
                Finding::Alert(alert) if alert.level >= args.min_level => Record::Alert(alert),
                Finding::Suppressed(alert) if args.suppressed => Record::Alert(alert),
                Finding::Health(health) => Record::Health(health),
                _ => continue,
            };
            if let Some(error) = sink.write(record) {
                read = Err(error.to_string());
                break 'events;
            }
        }
    }
    read
}

fn write_report(report: &Report, path: &Path, out: &mut impl Write) -> Result<(), String> {
    let mut line = escape::json(report);
    line.push('\n');
    let written = if path == Path::new("-") {
        out.write_all(line.as_bytes()).and_then(|()| out.flush())
    } else {
        std::fs::write(path, line)
    };
    written.map_err(|error| format!("{}: the report can't be written: {error}", path.display()))
}
