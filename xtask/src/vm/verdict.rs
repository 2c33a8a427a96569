//! Judges what a guest sent back: every program loaded, every act of the scenario seen, nothing
//! lost, and a kernel that has nothing to say about it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// What a kernel prints when something is wrong with it.
const KERNEL_WARNINGS: [&str; 8] = [
    "WARNING:",
    "BUG:",
    "Oops",
    "Call Trace",
    "general protection",
    "soft lockup",
    "detected stalls",
    "refcount_t:",
];

#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// `doctor`'s lines about programs, with what the verifier spent on each.
    pub(super) programs: String,
    /// What is wrong, one phrase each.
    pub(super) breaches: Vec<String>,
}

/// What a capture must hold: a name for it, and how to know it.
type Act = (&'static str, fn(&Value) -> bool);

const ACTS: [Act; 5] = [
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
];

fn opens_key(event: &Value) -> bool {
    event["event"] == "open" && event["open"]["path"] == "/root/.ssh/id_rsa"
}

pub(super) fn judge(out: &Path) -> Verdict {
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_default();
    let mut verdict = Verdict::default();
    let statuses = read("statuses");
    // 1 says that something is missing, and in the guest much is: no journald, for one.
    verdict.status(&statuses, "doctor", &["0", "1"]);
    verdict.programs(&read("doctor.stdout"));
    verdict.status(&statuses, "run", &["0"]);
    verdict.acts(&read("run.capture"));
    verdict.completeness(&read("run.report"));
    verdict.without_tracefs(&statuses, &read("run_without_tracefs.stderr"));
    verdict.kernel_log(&read("dmesg"));
    verdict
}

impl Verdict {
    fn breach(&mut self, what: impl Into<String>) {
        self.breaches.push(what.into());
    }

    fn status(&mut self, statuses: &str, step: &str, good: &[&str]) {
        match status(statuses, step) {
            Some(status) if good.contains(&status) => {}
            Some(other) => self.breach(format!("{step} ended with status {other}")),
            None => self.breach(format!("{step} did not run")),
        }
    }

    /// Lines `program NAME loaded insns=N`; any other word than `loaded` is a refusal.
    fn programs(&mut self, doctor: &str) {
        let lines = doctor.lines().map(str::trim);
        let programs = lines.filter_map(|line| line.strip_prefix("program "));
        let mut loaded = 0;
        for program in programs {
            let _ = writeln!(self.programs, "  {program}");
            match program.split_whitespace().nth(1) {
                Some("loaded") => loaded += 1,
                _ => self.breach(format!("program {program}")),
            }
        }
        if loaded == 0 {
            self.breach("doctor names no loaded program");
        }
    }

    fn acts(&mut self, capture: &str) {
        let events: Vec<Value> = capture
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        for (name, is_it) in ACTS {
            if !events.iter().any(is_it) {
                self.breach(format!("{name} was missed"));
            }
        }
    }

    fn completeness(&mut self, report: &str) {
        let report: Value = serde_json::from_str(report).unwrap_or_default();
        let completeness = &report["completeness"];
        if completeness["complete"] != true {
            self.breach(format!("the report is not complete: {completeness}"));
        }
    }

    /// Without tracefs the run goes on by other means, or ends with a word about tracefs.
    fn without_tracefs(&mut self, statuses: &str, stderr: &str) {
        let step = "run_without_tracefs";
        if status(statuses, step) != Some("125") || !stderr.contains("tracefs") {
            self.status(statuses, step, &["0"]);
        }
    }

    fn kernel_log(&mut self, dmesg: &str) {
        if dmesg.is_empty() {
            self.breach("no kernel log came back");
        }
        for line in dmesg.lines() {
            if KERNEL_WARNINGS.iter().any(|mark| line.contains(mark)) {
                self.breach(format!("the kernel says: {}", line.trim()));
            }
        }
    }
}

fn status<'a>(statuses: &'a str, step: &str) -> Option<&'a str> {
    statuses
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == step)
        .map(|(_, status)| status)
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    const CAPTURE: &str = r#"{"schema":"pkgwarden.capture/1"}
{"time":1,"cpu":0,"sequence":1,"event":"exec","exec":{"args":["/bin/cat","/root/.ssh/id_rsa"]}}
{"event":"connect","socket":{"transport":"tcp","ip":"127.0.0.1","port":4444}}
{"event":"open","open":{"path":"/root/.ssh/id_rsa","errno":2}}
{"event":"open","open":{"path":"/root/.ssh/id_rsa","errno":0}}
{"event":"rename","from":{"path":"/root/job"},"to":{"path":"/etc/cron.d/smoke"},"errno":0}
"#;

    fn breaches(judge: impl FnOnce(&mut Verdict)) -> Vec<String> {
        let mut verdict = Verdict::default();
        judge(&mut verdict);
        verdict.breaches
    }

    #[test]
    fn a_capture_with_every_act_is_accepted() {
        assert!(breaches(|verdict| verdict.acts(CAPTURE)).is_empty());
    }

    #[test]
    fn each_missing_act_is_named() {
        for gone in 1..=5 {
            let kept = CAPTURE
                .lines()
                .enumerate()
                .filter(|(line, _)| *line != gone);
            let capture: Vec<&str> = kept.map(|(_, text)| text).collect();
            let breaches = breaches(|verdict| verdict.acts(&capture.join("\n")));
            assert_eq!(breaches.len(), 1, "{breaches:?}");
        }
    }

    #[test]
    fn a_refused_program_and_a_doctor_without_programs_are_breaches() {
        let loaded = "program exec loaded insns=1200\n";
        assert!(breaches(|verdict| verdict.programs(loaded)).is_empty());
        let refused = "program exec loaded insns=1200\nprogram open refused: EPERM\n";
        assert_eq!(breaches(|verdict| verdict.programs(refused)).len(), 1);
        assert_eq!(breaches(|verdict| verdict.programs("fine\n")).len(), 1);
    }

    #[test]
    fn kernel_warnings_and_an_incomplete_report_are_breaches() {
        let log = "[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1\n[ 1.1] fine\n";
        assert_eq!(breaches(|verdict| verdict.kernel_log(log)).len(), 1);
        assert!(breaches(|verdict| verdict.kernel_log("[ 1.1] fine")).is_empty());
        let report = r#"{"completeness":{"complete":false}}"#;
        assert_eq!(breaches(|verdict| verdict.completeness(report)).len(), 1);
    }
}
