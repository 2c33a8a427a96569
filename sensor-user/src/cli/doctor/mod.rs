//! The verb `doctor`: what this machine lets pkgwarden see, and what to do about the rest.
//!
//! Nothing is judged by version numbers where it can be tried: the sensor is started, and what the
//! kernel said to each of its hooks is shown.

mod machine;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::run::tuning;
use super::run::wire::Hook;
use super::{daemon, print};
use crate::alert::escape::terminal;
use crate::event::WatchSet;
use crate::kernel::{DNS, Sensor};

/// Say what can be watched on this machine, and what is missing
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// As text, or as one JSON object
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Watching works without it.
    Note,
    /// Something is not seen, or nothing.
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Ok,
            found: found.into(),
            advice: None,
        }
    }

    fn note(name: &str, found: impl Into<String>, advice: &str) -> Self {
        Self {
            state: State::Note,
            advice: Some(advice.to_owned()),
            ..Self::ok(name, found)
        }
    }

    fn missing(name: &str, found: impl Into<String>, advice: &str) -> Self {
        Self {
            state: State::Missing,
            ..Self::note(name, found, advice)
        }
    }
}

/// A program in the kernel.
#[derive(Debug, Serialize)]
struct Program {
    name: String,
    /// Instructions that the verifier looked at; kernels before 5.16 do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    insns: Option<u32>,
}

/// Everything.
#[derive(Debug, Serialize)]
struct Diagnosis {
    schema: &'static str,
    ok: bool,
    version: &'static str,
    checks: Vec<Check>,
    hooks: Vec<Hook>,
    programs: Vec<Program>,
}

/// Looks, prints, and gives 1 when something is missing.
pub(crate) fn doctor(args: &DoctorArgs) -> ExitCode {
    let diagnosis = examine();
    match args.format {
        Format::Text => print(&text(&diagnosis)),
        Format::Json => print(&format!("{}\n", crate::alert::escape::json(&diagnosis))),
    }
    ExitCode::from(u8::from(!diagnosis.ok))
}

fn examine() -> Diagnosis {
    let mut checks = machine::checks();
    let (mut hooks, mut programs) = (Vec::new(), Vec::new());
    match try_sensor() {
        Ok(tried) => {
            checks.push(Check::ok(
                "sensor",
                format!("starts, with rings of {}", tried.rings),
            ));
            checks.extend(tried.hooks.iter().map(hook_check));
            (hooks, programs) = (tried.hooks, tried.programs);
        }
        Err(error) => checks.push(Check::missing(
            "sensor",
            error,
            "mend what is missing above, then look again",
        )),
    }
    Diagnosis {
        schema: "pkgwarden.doctor/1",
        ok: checks.iter().all(|check| check.state != State::Missing),
        version: env!("CARGO_PKG_VERSION"),
        checks,
        hooks,
        programs,
    }
}

struct Tried {
    rings: String,
    hooks: Vec<Hook>,
    programs: Vec<Program>,
}

/// Starts the sensor, which watches nothing, and ends it.
fn try_sensor() -> Result<Tried, String> {
    let mut config = tuning::from_environment()
        .map_err(|error| error.to_string())?
        .config(WatchSet::default());
    // What the daemon needs beyond a run: the iterator over running processes.
    config.enter = daemon::enter::names();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    // The rings want to be inside a runtime.
    let _inside = runtime.enter();
    let sensor = Sensor::start(&config).map_err(|error| error.to_string())?;
    Ok(Tried {
        rings: format!(
            "{} KiB for processes and {} KiB for the rest",
            config.process_ring_bytes >> 10,
            config.detail_ring_bytes >> 10
        ),
        hooks: sensor.hooks().iter().map(Hook::from).collect(),
        programs: sensor
            .programs()
            .into_iter()
            .map(|(name, insns)| Program { name, insns })
            .collect(),
    })
}

fn hook_check(hook: &Hook) -> Check {
    let name = format!("hook {}", hook.kind);
    let refused: Vec<String> = hook
        .refused
        .iter()
        .map(|(hook, why)| format!("{hook} refused: {why}"))
        .collect();
    match &hook.chosen {
        Some(chosen) if refused.is_empty() => Check::ok(&name, chosen.clone()),
        Some(chosen) => Check::note(
            &name,
            format!("{chosen} ({})", refused.join("; ")),
            "nothing: this hook sees the same",
        ),
        None if hook.optional => Check::note(
            &name,
            refused.join("; "),
            match hook.kind.as_str() {
                DNS => "destinations will have no names; mend what is missing above",
                _ => "nothing, if this kernel is built without it",
            },
        ),
        None => Check::missing(
            &name,
            refused.join("; "),
            "these events are not seen, and every report will say incomplete: mend what is missing \
             above, or use a newer kernel",
        ),
    }
}

fn text(diagnosis: &Diagnosis) -> String {
    let mut out = String::new();
    for check in &diagnosis.checks {
        let state = match check.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Missing => "MISSING",
        };
        let line = format!("{state:<8} {:<20} {}", check.name, check.found);
        out.push_str(terminal(&line).trim_end());
        out.push('\n');
        if let Some(advice) = &check.advice {
            out.push_str(&format!("{:29} -> {advice}\n", ""));
        }
    }
    for program in &diagnosis.programs {
        let insns = program
            .insns
            .map_or_else(|| "unknown".to_owned(), |insns| insns.to_string());
        out.push_str(&format!("program {} loaded insns={insns}\n", program.name));
    }
    let missing = diagnosis
        .checks
        .iter()
        .filter(|check| check.state == State::Missing)
        .count();
    out.push_str(&match missing {
        0 => "everything that is needed is there\n".to_owned(),
        1 => "1 thing is missing\n".to_owned(),
        n => format!("{n} things are missing\n"),
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(kind: &str, chosen: Option<&str>) -> Hook {
        Hook {
            kind: kind.to_owned(),
            optional: kind == "io_uring",
            chosen: chosen.map(str::to_owned),
            refused: vec![("cgroup connect4".into(), "no cgroup v2\x1b[2J".into())],
        }
    }

    #[test]
    fn a_fallback_is_a_note_and_no_hook_at_all_is_missing() {
        let fallback = hook_check(&hook("connect", Some("syscall exit tracepoint")));
        assert_eq!(fallback.state, State::Note);
        let none = hook_check(&hook("send", None));
        assert_eq!(none.state, State::Missing);
        assert!(none.found.contains("no cgroup v2"), "{none:?}");
    }

    #[test]
    fn the_text_says_what_to_do_and_steers_no_terminal() {
        let text = text(&Diagnosis {
            schema: "",
            ok: false,
            version: "",
            checks: vec![hook_check(&hook("send", None))],
            hooks: Vec::new(),
            programs: vec![Program {
                name: "exec_btf".into(),
                insns: Some(12),
            }],
        });
        assert!(text.starts_with("MISSING  hook send"), "{text}");
        assert!(text.contains(" -> "), "{text}");
        assert!(
            text.contains("\nprogram exec_btf loaded insns=12\n"),
            "{text}"
        );
        assert!(text.ends_with("1 thing is missing\n"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
}
