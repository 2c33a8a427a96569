//! The small guest: an initramfs of busybox, pkgwarden and two scripts (`xtask/vm/smoke`), in which
//! one scenario is watched. Every program must load, every act of the scenario be seen, nothing be
//! lost, and the kernel have nothing to say about it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use super::archive::Archive;
use super::boot::{self, Guest};
use super::kernel::Line;
use super::verdict::{Verdict, read, status};
use crate::workspace;

/// Boots one kernel and judges what comes back.
pub(super) fn try_kernel(
    sh: &Shell,
    line: Line,
    kernel: &Path,
    pkgwarden: &Path,
) -> anyhow::Result<Verdict> {
    let initrd = initramfs(sh, pkgwarden)?;
    let guest = Guest {
        line,
        name: line.name(),
        kernel,
        initrd: &initrd,
        memory: "1G",
        append: "",
        longest: Duration::from_secs(400),
    };
    Ok(judge(&boot::boot(sh, &guest)?))
}

/// The guest's root: busybox, pkgwarden with the libraries it needs, the two scripts.
fn initramfs(sh: &Shell, pkgwarden: &Path) -> anyhow::Result<PathBuf> {
    let mut archive = Archive::default();
    archive.device("/dev/console", 5, 1);
    archive.file("/bin/busybox", &bytes(&busybox(sh)?)?);
    archive.file("/bin/pkgwarden", &bytes(&stripped(sh, pkgwarden)?)?);
    for library in libraries(sh, pkgwarden)? {
        archive.file(&library, &bytes(Path::new(&library))?);
    }
    let scripts = workspace::root().join("xtask/vm/smoke");
    archive.file("/init", &bytes(&scripts.join("init"))?);
    archive.file("/scenario", &bytes(&scripts.join("scenario"))?);
    let path = boot::folder()?.join("initramfs");
    sh.write_file(&path, archive.finish())?;
    Ok(path)
}

/// The program without its debug information, most of its size: unpacking that takes seconds.
fn stripped(sh: &Shell, program: &Path) -> anyhow::Result<PathBuf> {
    let smaller = boot::folder()?.join("pkgwarden");
    let strip = cmd!(sh, "strip --strip-debug -o {smaller} {program}");
    match strip.quiet().ignore_stderr().run() {
        Ok(()) => Ok(smaller),
        Err(_) => Ok(program.to_owned()),
    }
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} can't be read", path.display()))
}

/// A busybox that needs no libraries.
fn busybox(sh: &Shell) -> anyhow::Result<PathBuf> {
    for place in ["/bin/busybox", "/usr/bin/busybox"] {
        let place = PathBuf::from(place);
        if place.exists() && libraries(sh, &place)?.is_empty() {
            return Ok(place);
        }
    }
    bail!("no statically linked busybox here: install busybox-static");
}

/// The files that the dynamic loader would open, the loader among them; none for a static program.
fn libraries(sh: &Shell, program: &Path) -> anyhow::Result<Vec<String>> {
    let output = cmd!(sh, "ldd {program}").quiet().ignore_status().output()?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(str::to_owned)
        .collect())
}

/// What a capture must hold: a name for it, and how to know it.
type Act = (&'static str, fn(&Value) -> bool);

const ACTS: [Act; 10] = [
    ("an exec of cat", |event| {
        event["event"] == "exec" && event["exec"]["args"][0] == "/bin/cat"
    }),
    ("a connect to 127.0.0.1:4444", |event| {
        let socket = &event["socket"];
        event["event"] == "connect" && socket["ip"] == "127.0.0.1" && socket["port"] == 4444
    }),
    ("an open of a key that is not there", |event| {
        opens_key(event) && event["open"]["errno"] == 2
    }),
    ("an open of a key", |event| {
        opens_key(event) && event["open"]["errno"].as_i64().unwrap_or_default() == 0
    }),
    ("a rename into cron's folder", |event| {
        event["event"] == "rename" && event["to"]["path"] == "/etc/cron.d/smoke"
    }),
    ("a removal", |event| {
        event["event"] == "unlink" && event["place"]["path"] == "/root/setup.js"
    }),
    ("a socket that listens at 53", |event| {
        event["event"] == "listen" && event["socket"]["port"] == 53
    }),
    ("the end of a connect by its state", |event| {
        let cookie = event["cookie"].as_u64().unwrap_or_default();
        event["event"] == "connect_result" && cookie != 0 && event["errno"] == 0
    }),
    ("a question for a name", |event| {
        event["event"] == "dns" && event["dns"]["question"]["name"] == "smoke.example"
    }),
    ("an answer", |event| {
        event["event"] == "dns" && event["dns"]["answers"][0]["address"] == "198.18.0.7"
    }),
];

fn opens_key(event: &Value) -> bool {
    event["event"] == "open" && event["open"]["path"] == "/root/.ssh/id_rsa"
}

fn judge(out: &Path) -> Verdict {
    let read = |name: &str| read(out, name);
    let mut verdict = Verdict::default();
    let statuses = read("statuses");
    // 1 says that something is missing, and in the guest much is: no journald, for one.
    verdict.status(&statuses, "doctor", &["0", "1"]);
    programs(&mut verdict, &read("doctor.stdout"));
    verdict.status(&statuses, "run", &["0"]);
    acts(&mut verdict, &read("run.capture"));
    completeness(&mut verdict, &read("run.report"));
    without_tracefs(&mut verdict, &statuses, &read("run_without_tracefs.stderr"));
    verdict.kernel_log(&read("dmesg"));
    verdict
}

/// Lines `program NAME loaded insns=N`; any other word than `loaded` is a refusal.
pub(super) fn programs(verdict: &mut Verdict, doctor: &str) {
    let lines = doctor.lines().map(str::trim);
    let programs = lines.filter_map(|line| line.strip_prefix("program "));
    let mut loaded = 0;
    for program in programs {
        let _ = writeln!(verdict.shown, "  {program}");
        match program.split_whitespace().nth(1) {
            Some("loaded") => loaded += 1,
            _ => verdict.breach(format!("program {program}")),
        }
    }
    if loaded == 0 {
        verdict.breach("doctor names no loaded program");
    }
}

fn acts(verdict: &mut Verdict, capture: &str) {
    let events: Vec<Value> = capture
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for (name, is_it) in ACTS {
        if !events.iter().any(is_it) {
            verdict.breach(format!("{name} was missed"));
        }
    }
}

fn completeness(verdict: &mut Verdict, report: &str) {
    let report: Value = serde_json::from_str(report).unwrap_or_default();
    let completeness = &report["completeness"];
    if completeness["complete"] != true {
        verdict.breach(format!("the report is not complete: {completeness}"));
    }
}

/// Without tracefs the run goes on by other means, or ends with a word about tracefs.
fn without_tracefs(verdict: &mut Verdict, statuses: &str, stderr: &str) {
    let step = "run_without_tracefs";
    if status(statuses, step) != Some("125") || !stderr.contains("tracefs") {
        verdict.status(statuses, step, &["0"]);
    }
}

#[cfg(test)]
mod tests {
    use super::{ACTS, Verdict, acts, completeness, programs};

    const CAPTURE: &str = r#"{"schema":"pkgwarden.capture/1"}
{"time":1,"cpu":0,"sequence":1,"event":"exec","exec":{"args":["/bin/cat","/root/.ssh/id_rsa"]}}
{"event":"connect","socket":{"transport":"tcp","ip":"127.0.0.1","port":4444}}
{"event":"open","open":{"path":"/root/.ssh/id_rsa","errno":2}}
{"event":"open","open":{"path":"/root/.ssh/id_rsa","errno":0}}
{"event":"rename","from":{"path":"/root/job"},"to":{"path":"/etc/cron.d/smoke"},"errno":0}
{"event":"unlink","place":{"path":"/root/setup.js"}}
{"event":"listen","socket":{"transport":"tcp","ip":"0.0.0.0","port":53}}
{"event":"connect_result","errno":0,"cookie":7}
{"event":"dns","dns":{"response":false,"question":{"name":"smoke.example","kind":1}}}
{"event":"dns","dns":{"response":true,"answers":[{"name":"a.example","ttl":60,"address":"198.18.0.7"}]}}
"#;

    fn breaches(judge: impl FnOnce(&mut Verdict)) -> Vec<String> {
        let mut verdict = Verdict::default();
        judge(&mut verdict);
        verdict.breaches
    }

    #[test]
    fn a_capture_with_every_act_is_accepted() {
        assert!(breaches(|verdict| acts(verdict, CAPTURE)).is_empty());
    }

    #[test]
    fn each_missing_act_is_named() {
        for gone in 1..=ACTS.len() {
            let kept = CAPTURE
                .lines()
                .enumerate()
                .filter(|(line, _)| *line != gone);
            let capture: Vec<&str> = kept.map(|(_, text)| text).collect();
            let breaches = breaches(|verdict| acts(verdict, &capture.join("\n")));
            assert_eq!(breaches.len(), 1, "{breaches:?}");
        }
    }

    #[test]
    fn a_refused_program_and_a_doctor_without_programs_are_breaches() {
        let loaded = "program exec loaded insns=1200\n";
        assert!(breaches(|verdict| programs(verdict, loaded)).is_empty());
        let refused = "program exec loaded insns=1200\nprogram open refused: EPERM\n";
        assert_eq!(breaches(|verdict| programs(verdict, refused)).len(), 1);
        assert_eq!(breaches(|verdict| programs(verdict, "fine\n")).len(), 1);
    }

    #[test]
    fn an_incomplete_report_is_a_breach() {
        let report = r#"{"completeness":{"complete":false}}"#;
        assert_eq!(breaches(|verdict| completeness(verdict, report)).len(), 1);
    }
}
