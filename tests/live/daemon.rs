//! The daemon, as systemd starts it: installs that nobody put under watch.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::{Alert, Background, Daemon, Scratch, Turn, fixture, need, pkgwarden, require};

/// Of a daemon.
pub(crate) const NONE: [&str; 0] = [];
const SPAWNED: &str = "PackageInstallSpawnedSuspiciousProcess";

/// Starts `npm install` of a package whose postinstall is this.
pub(crate) fn install(scratch: &Scratch, postinstall: &str) -> Background {
    let archive = fixture::npm_archive_that_runs(scratch, postinstall);
    Background::start(scratch, ["npm", "install", &archive, "--offline"])
}

/// An alert of this test's own install, on a command line with this word.
pub(crate) fn own<'s>(scratch: &'s Scratch, word: &'s str) -> impl Fn(&Alert) -> bool + 's {
    let project = scratch.project();
    move |alert| {
        alert.branch() == SPAWNED
            && Path::new(alert.text("/install/working_directory")) == project
            && alert.command_lines().iter().any(|line| line.contains(word))
    }
}

#[test]
fn an_install_that_nobody_put_under_watch_alerts_and_its_session_is_kept() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let mut daemon = Daemon::start(&scratch, NONE);
    eprintln!("READY after {:?}", daemon.age());
    install(&scratch, "id > /dev/null; : unasked").succeeds();
    let alert = daemon.alert("the postinstall", own(&scratch, ": unasked"));
    alert.keep_the_contract();
    assert_eq!(alert.text("/package/name"), "hostile-fixture", "{alert:?}");
    assert_eq!(alert.at("/completeness/complete"), true, "{alert:?}");
    let id = alert.text("/install/id");
    let session = daemon.session(id, |_| true);
    assert_eq!(session["completeness"]["complete"], true, "{session:#}");
    let alerts = session["alerts"].as_array().unwrap();
    assert!(alerts.contains(alert.at("/id")), "{session:#}");
    let began = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
    daemon_told_everything(&mut daemon);
}

fn daemon_told_everything(daemon: &mut Daemon) {
    daemon.is_told("STOPPING=1");
}

#[test]
fn an_install_that_runs_when_the_daemon_starts_is_found_and_is_late() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let (begun, go) = (scratch.tmp().join("begun"), scratch.tmp().join("go"));
    let script = waits(&begun, &go, "id > /dev/null; : found");
    let npm = install(&scratch, &script);
    npm.until("the postinstall runs", || begun.exists());
    let daemon = Daemon::start(&scratch, NONE);
    let late = daemon.health_that("started_late", |cause| cause.contains("hostile-fixture"));
    assert!(late["cause"].as_str().unwrap().contains("npm"), "{late}");
    fs::write(&go, "").unwrap();
    npm.succeeds();
    let alert = daemon.alert("the postinstall", own(&scratch, ": found"));
    assert_eq!(alert.text("/package/name"), "hostile-fixture", "{alert:?}");
    assert_eq!(alert.at("/completeness/complete"), false, "{alert:?}");
    assert_eq!(alert.at("/completeness/started_late"), true, "{alert:?}");
    daemon.session(alert.text("/install/id"), |session| {
        session["completeness"]["started_late"] == true
    });
    daemon.stop();
}

/// A script that says it has begun and goes on when it may.
fn waits(begun: &Path, go: &Path, then: &str) -> String {
    format!(
        "touch {}; while [ ! -e {} ]; do sleep 0.05; done; {then}",
        begun.display(),
        go.display()
    )
}

#[test]
fn a_reload_with_a_broken_rule_keeps_the_last_good_ones_and_says_so() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let rules = scratch.tmp().join("rules");
    fs::create_dir(&rules).unwrap();
    let mut daemon = Daemon::start(&scratch, ["--rules".as_ref(), rules.as_os_str()]);
    let broken = rules.join("broken.yml");
    fs::copy(fixture::folder("rules/broken/level.yml"), &broken).unwrap();
    daemon.signal(Signal::SIGHUP);
    let told = daemon.is_told("RELOADING=1");
    assert!(told.contains("MONOTONIC_USEC="), "{told}");
    daemon.is_told("READY=1");
    let rejected = daemon.health_that("rules_rejected", |cause| cause.contains("broken.yml:4"));
    assert!(
        rejected["cause"].as_str().unwrap().contains("hihg"),
        "{rejected}"
    );
    assert!(
        daemon.stderr().contains("did you mean"),
        "{}",
        daemon.stderr()
    );
    install(&scratch, "id > /dev/null; : still-there").succeeds();
    daemon.alert("the shipped rules", own(&scratch, ": still-there"));
    daemon.stop();
}

#[test]
fn a_reload_brings_new_rules_and_a_new_file_for_alerts() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let rules = scratch.tmp().join("rules");
    fs::create_dir(&rules).unwrap();
    let options = [
        "--min-level".as_ref(),
        "low".as_ref(),
        "--rules".as_ref(),
        rules.as_os_str(),
    ];
    let mut daemon = Daemon::start(&scratch, options);
    make(&scratch, "before.marked");
    // Only new watch entries let the kernel report it.
    fs::write(rules.join("marked.yml"), MARKED).unwrap();
    let rotated = scratch.out().join("rotated");
    fs::rename(daemon.alerts_file(), &rotated).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.is_told("READY=1");
    make(&scratch, "after.marked");
    daemon.alert("the new rule, in the new file", |alert| {
        alert.text("/file/path").ends_with("after.marked")
    });
    let all = format!("{:?}", daemon.alerts());
    assert!(!all.contains("before.marked"), "{all}");
    daemon.stop();
}

#[test]
fn a_reload_that_cannot_open_its_file_for_alerts_changes_nothing() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let rules = scratch.tmp().join("rules");
    fs::create_dir(&rules).unwrap();
    let options = ["--rules".as_ref(), rules.as_os_str()];
    let mut daemon = Daemon::start(&scratch, options);
    fs::write(rules.join("marked.yml"), MARKED).unwrap();
    // A folder stands where the log was.
    let (log, aside) = (daemon.alerts_file(), scratch.out().join("aside"));
    fs::rename(&log, &aside).unwrap();
    fs::create_dir(&log).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.is_told("READY=1");
    fs::remove_dir(&log).unwrap();
    fs::rename(&aside, &log).unwrap();
    let name = log.to_str().unwrap();
    daemon.health_that("rules_rejected", |cause| cause.contains(name));
    make(&scratch, "refused.marked");
    daemon.signal(Signal::SIGHUP);
    daemon.is_told("READY=1");
    make(&scratch, "taken.marked");
    daemon.alert("the new rule, once all could be opened", |alert| {
        alert.text("/file/path").ends_with("taken.marked")
    });
    let all = format!("{:?}", daemon.alerts());
    assert!(!all.contains("refused.marked"), "{all}");
    daemon.stop();
}

/// Has a python of no install make a file of that name.
fn make(scratch: &Scratch, name: &str) {
    let script = format!("open({:?}, 'w')", scratch.project().join(name));
    Background::start(scratch, ["/usr/bin/python3", "-c", &script]).succeeds();
}

const MARKED: &str = "title: A marked file was made
id: 0d6f43f0-1df4-4a86-9d94-6f0f4c1f5c01
status: test
description: Shows that new rules reach the kernel.
level: medium
logsource:
  product: linux
  category: file_event
detection:
  selection:
    TargetFilename|endswith: '.marked'
  condition: selection
pkgwarden:
  branch: PackageInstallerDroppedExecutable
  playbook:
    respond: [Nothing.]
";

#[test]
fn a_capture_that_ends_for_want_of_room_is_told_and_the_watch_goes_on() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch, ["--record", "/dev/full"]);
    daemon.health_that("output_failing", |cause| cause.contains("the capture"));
    install(&scratch, "id > /dev/null; : recorded-nowhere").succeeds();
    daemon.alert(
        "the watch that goes on",
        own(&scratch, ": recorded-nowhere"),
    );
    daemon.stop();
}

#[test]
fn a_second_daemon_is_refused_and_told_of_the_first() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch, NONE);
    let second = Command::new(pkgwarden())
        .args(Daemon::line(&scratch))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        said.contains(&format!("process {}", daemon.pid())),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    daemon.stop();
}

#[test]
fn without_privileges_it_says_so_in_one_sentence() {
    need!(require::live(), require::programs(&["setpriv"]));
    let _turn = Turn::shared();
    let scratch = Scratch::for_everyone();
    let copy = scratch.tmp().join("pkgwarden");
    fs::copy(pkgwarden(), &copy).unwrap();
    let refused = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(copy)
        .args(Daemon::line(&scratch))
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(77), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_watchdog_hears_from_a_daemon_that_reads_its_rings() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let mut daemon = Daemon::start_with(&scratch, NONE, &[("WATCHDOG_USEC", "1000000")]);
    for _ in 0..3 {
        let waiting = Instant::now();
        daemon.is_told("WATCHDOG=1");
        assert!(waiting.elapsed() < Duration::from_secs(1));
    }
    daemon.stop();
}

#[test]
fn sigterm_in_the_middle_of_an_install_drains_what_happened_before() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let done = scratch.tmp().join("done");
    let mut daemon = Daemon::start(&scratch, NONE);
    let script = format!(
        "id > /dev/null; touch {}; : drained; sleep 60",
        done.display()
    );
    let npm = install(&scratch, &script);
    npm.until("the act is done", || done.exists());
    daemon.signal(Signal::SIGTERM);
    let began = Instant::now();
    assert_eq!(daemon.ended().code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let alerts = daemon.alerts();
    assert!(alerts.iter().any(own(&scratch, ": drained")), "{alerts:#?}");
}

#[test]
fn many_short_processes_leave_nothing_in_the_lineage_set() {
    need!(require::live());
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch, NONE);
    let children: Vec<_> = (0..50)
        .map(|_| {
            Command::new("/usr/bin/python3")
                .args(["-S", "-c", "import os\nfor _ in range(4):\n os.fork()"])
                .stdin(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        child.wait().unwrap();
    }
    std::thread::sleep(Duration::from_millis(500));
    let stderr = daemon.stderr();
    let mut daemon = daemon;
    // Someone else's python may end once no probe is there to see it.
    let before: Vec<u32> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .collect();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().code(), Some(0), "{stderr}");
    let dead: Vec<u32> = daemon
        .members()
        .into_iter()
        .filter(|pid| !before.contains(pid) && !Path::new(&format!("/proc/{pid}")).exists())
        .collect();
    assert!(dead.is_empty(), "{dead:?} are in the set and have ended");
    assert!(daemon.health("lineage_full").is_empty());
}

#[test]
fn a_probe_that_is_detached_behind_the_daemons_back_is_told() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch, NONE);
    let output = Command::new("/usr/bin/python3")
        .arg(fixture::act("detach_cgroup_links.py"))
        .arg(daemon.pid().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    if output.stdout == b"0\n" {
        return require::skip("no probe hangs on a cgroup here, and the others can't be detached");
    }
    let tampered = daemon.health_that("tampered", |cause| cause.contains("program "));
    assert_eq!(tampered["level"], "critical", "{tampered}");
    daemon.stop();
}
