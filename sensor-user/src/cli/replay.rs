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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::alert::schema::Alert;
    use crate::event::capture::Writer;
    use crate::event::stage::Stage;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: ReplayArgs,
    }

    /// A python that calls a public address.
    fn capture() -> Vec<u8> {
        let mut stage = Stage::new("python app.py");
        let python = stage.root;
        let args = ["python", "app.py"];
        stage.exec(python, "/usr/bin/python3.11", &args, "/home/dev/app", &[]);
        stage.connect(python, "9.9.9.9", 4444, 111);
        stage.exit(python);
        let mut writer = Writer::new(Vec::new()).unwrap();
        for event in &stage.events {
            writer.write(event).unwrap();
        }
        writer.into_inner()
    }

    fn replayed(bytes: &[u8], more: &[&str]) -> (Result<(), String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.capture");
        std::fs::write(&file, bytes).unwrap();
        let line = ["replay", file.to_str().unwrap()];
        let line = Line::parse_from(line.iter().chain(more));
        let mut out = Vec::new();
        let result = run(&line.args, &mut out);
        (result, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_capture_gives_its_alerts_and_its_report_one_object_a_line() {
        let (result, out) = replayed(&capture(), &["--report", "-"]);
        result.unwrap();
        let lines: Vec<&str> = out.lines().collect();
        let alert: Alert = serde_json::from_str(lines[0]).unwrap();
        assert_eq!(alert.destination.unwrap().port, Some(4444));
        let report: Report = serde_json::from_str(lines[lines.len() - 1]).unwrap();
        assert_eq!(report.connections.len(), 1);
    }

    #[test]
    fn trust_silences_the_callback() {
        let (result, out) = replayed(&capture(), &["--trust", "9.0.0.0/8"]);
        result.unwrap();
        assert_eq!(out, "");
    }

    #[test]
    fn a_torn_capture_gives_what_can_be_read_and_then_fails() {
        let bytes = capture();
        let (result, out) = replayed(&bytes[..bytes.len() - 5], &["--report", "-"]);
        let error = result.unwrap_err();
        assert!(error.contains("torn"), "{error}");
        assert!(out.lines().count() >= 2, "{out}");
    }

    #[test]
    fn a_missing_capture_is_named() {
        let line = Line::parse_from(["replay", "/nowhere/x"]);
        let error = run(&line.args, &mut Vec::new()).unwrap_err();
        assert!(error.starts_with("/nowhere/x: "), "{error}");
    }
}
