//! What the guest sent back must be what an administrator of Debian expects.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::super::smoke::programs;
use super::super::verdict::{Verdict, read, status};
use super::VERSIONS;
use crate::package::security;

/// Steps that must simply work.
const STEPS: [&str; 29] = [
    "install",
    "state",
    "status",
    "sandbox",
    "security",
    "runtime_folder",
    "doctor",
    "pack_bob",
    "pack_carol",
    "npm",
    "npm_alert",
    "pip",
    "journal",
    "catalog",
    "alerts",
    "table",
    "sessions",
    "explain",
    "alerts_member",
    "rules_check",
    "reload",
    "reload_broken",
    "broken_is_health",
    "reload_mended",
    "stop",
    "selftest",
    "start",
    "remove",
    "purge",
];

/// The daemon's, as the kernel numbers them (linux/capability.h): CAP_DAC_READ_SEARCH, CAP_NET_ADMIN,
/// CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF.
const CAPABILITIES: u64 = 1 << 2 | 1 << 12 | 1 << 19 | 1 << 21 | 1 << 38 | 1 << 39;

/// Folders, owners and modes, as `stat` prints them.
const FOLDERS: [&str; 7] = [
    "/run/pkgwarden root:pkgwarden 750",
    "/run/pkgwarden/control root:pkgwarden 660",
    "/var/lib/pkgwarden root:pkgwarden 700",
    "/var/log/pkgwarden root:pkgwarden 750",
    "/etc/pkgwarden root:root 755",
    "/etc/pkgwarden/rules.d root:pkgwarden 755",
    "/etc/pkgwarden/filters.d root:pkgwarden 755",
];

/// The packages that were installed, of which each must be an alert.
const PACKAGES: [&str; 2] = ["left-padding-fixture@4.2.1", "requestes-fixture@2.31.7"];

/// Health that these checks bring about themselves.
const EXPECTED_HEALTH: [&str; 3] = ["rules_rejected", "started_late", "daemon_gap"];

pub(super) fn judge(out: &Path) -> Verdict {
    let mut verdict = Verdict::default();
    let read = |name: &str| read(out, name);
    let statuses = read("statuses");
    for step in STEPS {
        verdict.status(&statuses, step, &["0"]);
    }
    ready(&mut verdict, &read("state.stdout"));
    sandbox(&mut verdict, &read("sandbox.stdout"));
    exposure(&mut verdict, &read("security.stdout"));
    for line in FOLDERS {
        let there = read("runtime_folder.stdout").lines().any(|is| is == line);
        verdict.expect(there, format!("not as it should be: {line}"));
    }
    programs(&mut verdict, &read("doctor.stdout"));
    alerts(&mut verdict, &read);
    control(&mut verdict, &statuses, &read);
    reload(&mut verdict, &read);
    let stopped = read("stopped.stdout");
    for line in ["Result=success", "ExecMainStatus=0", "ActiveState=inactive"] {
        let there = stopped.lines().any(|is| is == line);
        verdict.expect(there, format!("after stop not {line}"));
    }
    life(&mut verdict, &read);
    health(&mut verdict, &read("all_entries.stdout"));
    verdict.kernel_log(&read("dmesg"));
    verdict
}

impl Verdict {
    fn expect(&mut self, good: bool, otherwise: impl Into<String>) {
        if !good {
            self.breach(otherwise);
        }
    }
}

/// `KEY=value` or `Key: value`, one a line.
fn value<'a>(lines: &'a str, separator: char, key: &str) -> Option<&'a str> {
    lines
        .lines()
        .filter_map(|line| line.split_once(separator))
        .find(|(is, _)| *is == key)
        .map(|(_, value)| value.trim())
}

/// `systemctl show`.
fn ready(verdict: &mut Verdict, state: &str) {
    for (key, wanted) in [
        ("Type", "notify"),
        ("ActiveState", "active"),
        ("SubState", "running"),
        ("NRestarts", "0"),
        ("Result", "success"),
        ("NotifyAccess", "main"),
        ("WatchdogUSec", "30s"),
    ] {
        let is = value(state, '=', key).unwrap_or_default();
        verdict.expect(is == wanted, format!("the unit's {key} is {is:?}"));
    }
    let stamp = |key| value(state, '=', key)?.parse::<u64>().ok();
    if let (Some(started), Some(active)) = (
        stamp("ExecMainStartTimestampMonotonic"),
        stamp("ActiveEnterTimestampMonotonic"),
    ) {
        let milliseconds = active.saturating_sub(started) / 1000;
        let _ = writeln!(verdict.shown, "  READY after {milliseconds} ms, emulated");
    }
}

/// `/proc/PID/status` of the daemon.
fn sandbox(verdict: &mut Verdict, status: &str) {
    for set in ["CapBnd", "CapEff", "CapPrm"] {
        let is = value(status, ':', set).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        verdict.expect(is == Some(CAPABILITIES), format!("{set} is {is:x?}"));
    }
    for (key, wanted) in [("NoNewPrivs", "1"), ("Seccomp", "2")] {
        let is = value(status, ':', key).unwrap_or_default();
        verdict.expect(is == wanted, format!("{key} is {is:?}"));
    }
}

fn exposure(verdict: &mut Verdict, table: &str) {
    match security::exposure(table) {
        Some(figure) => {
            let _ = writeln!(verdict.shown, "  exposure of the running unit: {figure}");
            let most = security::MOST_EXPOSED;
            verdict.expect(figure <= most, format!("exposed at {figure}, above {most}"));
        }
        None => verdict.breach("systemd-analyze security named no overall level"),
    }
}

/// Each package is an alert in the journal, which explains it, and in what the verbs show.
fn alerts(verdict: &mut Verdict, read: &dyn Fn(&str) -> String) {
    let entries = objects(&read("journal.stdout"));
    for package in PACKAGES {
        let entry = entries
            .iter()
            .find(|entry| entry["PKGWARDEN_PACKAGE"] == package);
        let Some(entry) = entry else {
            let field = |entry: &Value, name: &str| entry[name].as_str().unwrap_or("?").to_owned();
            let others: Vec<String> = entries
                .iter()
                .map(|entry| {
                    let (package, summary) = (
                        field(entry, "PKGWARDEN_PACKAGE"),
                        field(entry, "PKGWARDEN_SUMMARY"),
                    );
                    format!("\n    {package}: {summary}")
                })
                .collect();
            let others = others.concat();
            verdict.breach(format!(
                "no entry of the journal is about {package}; there are:{others}"
            ));
            continue;
        };
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let alert: Value = serde_json::from_str(text("PKGWARDEN_ALERT")).unwrap_or_default();
        verdict.expect(
            alert["schema"] == "pkgwarden.alert/1" && alert["completeness"]["complete"] == true,
            format!(
                "{package}: no whole and complete alert: {}",
                alert["completeness"]
            ),
        );
        let message = text("MESSAGE");
        verdict.expect(
            serde_json::from_str::<Value>(message).is_ok() && message.len() <= 4000,
            format!("{package}: MESSAGE is no JSON of at most 4,000 bytes"),
        );
        verdict.expect(
            text("SYSLOG_IDENTIFIER") == "pkgwarden" && text("PRIORITY") == "4",
            format!("{package}: identifier or priority is wrong"),
        );
        let id = text("PKGWARDEN_ALERT_ID");
        for listing in ["alerts.stdout", "catalog.stdout"] {
            let told = !id.is_empty() && read(listing).contains(id);
            verdict.expect(told, format!("{package}: {listing} doesn't name {id}"));
        }
        let name = package.split('@').next().unwrap_or_default();
        let told = read("sessions.stdout").contains(name);
        verdict.expect(told, format!("sessions doesn't name {name}"));
    }
    let explained = read("catalog.stdout").contains("A package install ran what attackers run");
    verdict.expect(explained, "journalctl -x explains nothing");
}

/// `run` without privileges: for members of the group, and for nobody else.
fn control(verdict: &mut Verdict, statuses: &str, read: &dyn Fn(&str) -> String) {
    verdict.status(statuses, "run_member", &["86"]);
    let report: Value = serde_json::from_str(&read("run_member.report")).unwrap_or_default();
    verdict.expect(
        report["completeness"]["complete"] == true,
        format!("a member's run is not complete: {}", report["completeness"]),
    );
    let stranger = status(statuses, "run_stranger");
    verdict.expect(
        stranger == Some("125"),
        format!("a stranger's run: {stranger:?}"),
    );
    // Whom the rows of the alerts are about.
    let others = objects(&read("alerts_member.stdout"))
        .iter()
        .any(|alert| alert["row"]["AccountName"] == "carol");
    verdict.expect(!others, "a member of the group sees another user's alerts");
}

fn reload(verdict: &mut Verdict, read: &dyn Fn(&str) -> String) {
    let own = objects(&read("journal_of_own_rule.stdout"));
    verdict.expect(
        !own.is_empty(),
        "a rule of one's own raised nothing after a reload",
    );
    let pids = read("pids_over_reload");
    verdict.expect(
        same(&pids),
        format!("a reload restarted the daemon: {pids}"),
    );
}

/// Upgrade, remove and purge.
fn life(verdict: &mut Verdict, read: &dyn Fn(&str) -> String) {
    const PROGRAM: &str = "/usr/bin/pkgwarden";
    const CONFIGURATION: &str = "/etc/pkgwarden/config.toml";
    const STATE: &str = "/var/lib/pkgwarden";
    const RUNS: [&str; 7] = [
        PROGRAM,
        CONFIGURATION,
        STATE,
        "enabled: enabled",
        "active: active",
        "explained: 2",
        "group: pkgwarden:",
    ];
    let mut holds = |step: &str, there: &[&str], gone: &[&str]| {
        let found = read(&format!("{step}.stdout"));
        let has = |line: &str| found.lines().any(|is| is.starts_with(line));
        for line in there {
            verdict.expect(has(line), format!("{step}: no {line:?}"));
        }
        for line in gone {
            verdict.expect(!has(line), format!("{step}: there is {line:?}"));
        }
    };
    holds("after_install", &RUNS, &[]);
    holds("after_upgrade", &RUNS, &[]);
    holds(
        "after_remove",
        &[CONFIGURATION, STATE, "explained: 0"],
        &[PROGRAM, "/usr/lib", "/usr/share", "/run", "active: active"],
    );
    holds("after_reinstall", &RUNS, &[]);
    // A file of the administrator's lies in /etc/pkgwarden/rules.d.
    holds(
        "after_purge",
        &["/etc/pkgwarden", "explained: 0"],
        &[CONFIGURATION, "/usr", "/run", "/var", "active: active"],
    );
    let pids = read("pids_over_upgrade");
    verdict.expect(!same(&pids), "the upgrade did not restart the daemon");
    let version = read("version.stdout");
    verdict.expect(version == VERSIONS[1], format!("upgraded to {version:?}"));
    let kept = read("configuration.stdout").contains("# mine");
    verdict.expect(kept, "the upgrade took the configuration away");
}

/// Two process ids, of which none is 0.
fn same(pids: &str) -> bool {
    let pids: Vec<&str> = pids.split_whitespace().collect();
    pids.len() == 2 && pids[0] == pids[1] && pids[0] != "0"
}

/// The daemon has nothing to complain of but what the checks did to it.
fn health(verdict: &mut Verdict, journal: &str) {
    for entry in objects(journal) {
        let Some(code) = entry["PKGWARDEN_HEALTH_CODE"].as_str() else {
            continue;
        };
        if !EXPECTED_HEALTH.contains(&code) {
            verdict.breach(format!("health {code}: {}", entry["PKGWARDEN_SUMMARY"]));
        }
    }
}

fn objects(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Verdict, health, ready, same, sandbox};

    fn breaches(judge: impl FnOnce(&mut Verdict)) -> usize {
        let mut verdict = Verdict::default();
        judge(&mut verdict);
        verdict.breaches.len()
    }

    #[test]
    fn a_daemon_with_one_capability_more_is_a_breach() {
        let good = "CapPrm:\t000000c000281004\nCapEff:\t000000c000281004\n\
                    CapBnd:\t000000c000281004\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        assert_eq!(breaches(|verdict| sandbox(verdict, good)), 0);
        let more = good.replace("CapEff:\t000000c000281004", "CapEff:\t000000c000281005");
        assert_eq!(breaches(|verdict| sandbox(verdict, &more)), 1);
    }

    #[test]
    fn a_unit_that_was_restarted_is_a_breach() {
        let good = "Type=notify\nActiveState=active\nSubState=running\nNRestarts=0\n\
                    Result=success\nNotifyAccess=main\nWatchdogUSec=30s\n";
        assert_eq!(breaches(|verdict| ready(verdict, good)), 0);
        let again = good.replace("NRestarts=0", "NRestarts=1");
        assert_eq!(breaches(|verdict| ready(verdict, &again)), 1);
    }

    #[test]
    fn only_health_that_was_not_provoked_counts() {
        let entries = "{\"PKGWARDEN_HEALTH_CODE\":\"rules_rejected\"}\n{\"MESSAGE\":\"fine\"}\n";
        assert_eq!(breaches(|verdict| health(verdict, entries)), 0);
        let lost = "{\"PKGWARDEN_HEALTH_CODE\":\"events_lost\"}\n";
        assert_eq!(breaches(|verdict| health(verdict, lost)), 1);
    }

    #[test]
    fn a_process_that_is_not_there_is_not_the_same() {
        assert!(same("12 12\n"));
        assert!(!same("0 0\n") && !same("12 13\n") && !same("12\n"));
    }
}
