//! `pkgwarden check`: a gate on what the daemon recorded.

mod verdict;

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::process::ExitCode;

use nix::unistd::geteuid;

use super::records::{RecordsError, Source, StateArgs, complain};
use super::run::{FINDINGS, INCOMPLETE};
use super::since::{DEFAULT, Since, since};
use crate::detect::Level;
use crate::sink::Style;
use crate::state::{Query, Record};
use verdict::{Selection, Verdict};

/// Fail when the daemon recorded alerts (86), or may have missed some (87)
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CheckArgs {
    /// From when on: 30m, 2h, 7d, today, 2026-01-31 or 2026-01-31T09:00:00Z [default: 24h, with
    /// --session the whole of it]
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Only this install session: an id that `sessions` shows
    #[arg(long, value_name = "ID", conflicts_with = "run_id")]
    session: Option<String>,
    /// Only this run of a CI system
    #[arg(long, value_name = "ID")]
    run_id: Option<String>,
    /// Only this job of the run
    #[arg(long, value_name = "JOB", requires = "run_id")]
    job: Option<String>,
    /// The lowest level that fails: informational, low, medium, high, critical
    #[arg(long, value_name = "LEVEL", value_parser = super::level)]
    fail_on: Level,
    #[command(flatten)]
    state: StateArgs,
}

/// 0, 86 or 87. Whatever keeps it from an answer is 87: a gate must not open because nobody knows.
pub(super) fn check(args: &CheckArgs) -> ExitCode {
    match judge(args) {
        Ok(verdict) => {
            let no_color = std::env::var_os("NO_COLOR");
            let style = Style::choose(io::stdout().is_terminal(), no_color.as_deref());
            super::print(&verdict.page(style));
            ExitCode::from(match () {
                () if verdict.has_findings() => FINDINGS,
                () if verdict.is_incomplete() => INCOMPLETE,
                () => 0,
            })
        }
        Err(error) => {
            complain(&error);
            ExitCode::from(INCOMPLETE)
        }
    }
}

fn judge(args: &CheckArgs) -> Result<Verdict, RecordsError> {
    let since = match (args.since, &args.session) {
        (None, None) => super::since::since(DEFAULT).ok(),
        (None, Some(id)) => begin(id, &args.state)?,
        (given, _) => given,
    };
    let query = Query {
        alerts: true,
        health: true,
        sessions: true,
        since: since.map(Since::nanoseconds),
        session: args.session.clone(),
        run_id: args.run_id.clone(),
        job: args.job.clone(),
        ..Query::default()
    };
    let source = Source::find(&args.state)?;
    let mut verdict = Verdict::new(Selection {
        fail_on: args.fail_on,
        since,
        session: args.session.clone(),
        run: args.run_id.clone(),
    });
    if source.daemon_is_missing() {
        verdict.missing_daemon();
    }
    if source.is_daemon() {
        verdict.seen_by(geteuid().as_raw());
    }
    let end = source.each(&query, true, |entry| verdict.take(entry))?;
    verdict.end(end);
    Ok(verdict)
}

/// When a session began: what was wrong with the sensor before that is of no interest.
fn begin(session: &str, state: &StateArgs) -> Result<Option<Since>, RecordsError> {
    let query = Query {
        sessions: true,
        session: Some(session.to_owned()),
        ..Query::default()
    };
    let mut begin = None;
    Source::find(state)?.each(&query, true, |entry| {
        if let Record::Session(report) = &entry.record {
            begin = report.started.parse().ok().map(Since::at);
        }
        // All of its reports say the same.
        ControlFlow::Break(())
    })?;
    Ok(begin)
}
