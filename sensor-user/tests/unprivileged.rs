//! What the program does for who has no privileges, or types something wrong. No probes needed.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Output;
use std::sync::OnceLock;

use assert_cmd::Command;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// As an ordinary user whose PATH, which is empty, holds no sudo. Where the tests run as root,
/// setpriv makes one.
fn pkgwarden() -> Command {
    let program = assert_cmd::cargo::cargo_bin("pkgwarden");
    let mut command = if nix::unistd::geteuid().is_root() {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command.arg(handed_on(&program));
        command
    } else {
        Command::new(program)
    };
    command.env_clear();
    command.current_dir("/");
    command
}

/// A name under which every user can start it, though the checkout may lie in a home folder that is
/// closed to others: as a descriptor that is handed on.
fn handed_on(program: &Path) -> String {
    static HELD: OnceLock<File> = OnceLock::new();
    let held = HELD.get_or_init(|| {
        let file = File::open(program).unwrap();
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        file
    });
    format!("/proc/self/fd/{}", held.as_raw_fd())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder that the unprivileged caller may write to.
fn shared_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

#[test]
fn without_privileges_run_is_125_one_sentence_and_no_command() {
    let folder = shared_folder();
    let ran = folder.path().join("ran");
    let output = pkgwarden()
        .args(["run", "--", "/usr/bin/touch"])
        .arg(&ran)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("root"), "{said}");
    assert!(!ran.exists());
}

#[test]
fn without_privileges_warn_runs_the_command_and_says_that_nothing_was_watched() {
    let folder = shared_folder();
    let report = folder.path().join("report.json");
    let output = pkgwarden()
        .args(["run", "--if-unavailable", "warn", "--report"])
        .arg(&report)
        .args(["--", "/bin/sh", "-c", "echo out; exit 3"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(output.stdout, b"out\n");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report["completeness"]["complete"], false);
    assert_eq!(report["exit"]["status"], 3);
    assert_eq!(report["exit"]["decided_by"], "command");
}

#[test]
fn a_gate_on_an_unwatched_run_is_87() {
    let output = pkgwarden()
        .args([
            "run",
            "--if-unavailable",
            "warn",
            "--fail-on",
            "high",
            "--",
            "/bin/true",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(87), "{output:?}");
}

#[test]
fn a_command_that_can_not_start_is_126_or_127_as_for_env() {
    for (command, status) in [
        ("/etc/passwd", 126),
        ("no-such-command", 127),
        ("/no/such", 127),
    ] {
        let output = pkgwarden()
            .args(["run", "--if-unavailable", "warn", "--", command])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(stderr(&output).contains(command), "{output:?}");
    }
}

#[test]
fn a_signal_that_ends_the_command_is_128_and_its_number() {
    let output = pkgwarden()
        .args([
            "run",
            "--if-unavailable",
            "warn",
            "--",
            "/bin/sh",
            "-c",
            "kill -TERM $$",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(143), "{output:?}");
}

#[test]
fn the_command_sees_the_callers_environment_and_open_files_and_nothing_of_ours() {
    const LOOK: &str = "/usr/bin/env; ls /proc/self/fd | /usr/bin/wc -l; \
                        grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status";
    let look = |command: &mut Command| {
        let output = command
            .env_clear()
            .current_dir("/")
            .env("MARK", "x")
            .env("PATH", "/bin")
            .args(["/bin/sh", "-c", LOOK])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let unwatched = look(&mut Command::new("/usr/bin/env"));
    let watched = look(pkgwarden().args(["run", "--if-unavailable", "warn", "--"]));
    assert!(watched.contains("MARK=x"), "{watched}");
    assert_eq!(watched, unwatched);
}

#[test]
fn a_termination_reaches_the_command_and_its_status_comes_back() {
    let folder = shared_folder();
    let ready = folder.path().join("ready");
    let script = format!(
        "trap 'exit 7' TERM; echo > {}; while :; do sleep 0.05; done",
        ready.display()
    );
    let program = assert_cmd::cargo::cargo_bin("pkgwarden");
    let mut run = std::process::Command::new(program)
        .args([
            "run",
            "--if-unavailable",
            "warn",
            "--",
            "/bin/sh",
            "-c",
            &script,
        ])
        .spawn()
        .unwrap();
    while !ready.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = nix::unistd::Pid::from_raw(run.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(7));
}

#[test]
fn wrong_usage_is_64_and_for_run_125() {
    for (arguments, status) in [
        (&["nonsense"][..], 64),
        (&["doctor", "--nonsense"], 64),
        (&["rules", "show"], 64),
        (&[], 64),
        (&["run"], 125),
        (&["run", "--"], 125),
        (&["run", "ls"], 125),
        (&["run", "--fail-on", "bad", "--", "true"], 125),
        (&["run", "--trust", "http://x/", "--", "true"], 125),
        (&["run", "--linger", "-1", "--", "true"], 125),
    ] {
        let output = pkgwarden().args(arguments).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?} {output:?}"
        );
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["rules", "--help"],
    ] {
        let output = pkgwarden().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    let help = pkgwarden().arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for hidden in ["launch", "sensor "] {
        assert!(!help.contains(hidden), "{help}");
    }
}

#[test]
fn a_variable_counts_as_its_flag_and_an_empty_one_as_none() {
    let run = |value: &str| {
        let output = pkgwarden()
            .env("PKGWARDEN_FAIL_ON", value)
            .args(["run", "--if-unavailable", "warn", "--", "/bin/true"])
            .output()
            .unwrap();
        output.status.code()
    };
    assert_eq!(run("high"), Some(87));
    assert_eq!(run(""), Some(0));
    assert_eq!(run("hihg"), Some(125));
}

#[test]
fn a_configuration_that_is_wrong_is_said_with_file_and_line() {
    let folder = shared_folder();
    let config = folder.path().join("config.toml");
    for (text, words) in [
        (
            "[output]\nmin_levl = 'low'\n",
            ["config.toml", "line 2", "min_levl"],
        ),
        (
            "[rules]\ndisabled = ['no-such-id']\n",
            ["disables", "no-such-id", "rules list"],
        ),
        (
            "[trust]\nhosts = ['a b']\n",
            ["a b", "host name", "network"],
        ),
    ] {
        fs::write(&config, text).unwrap();
        let output = pkgwarden()
            .args(["run", "--config"])
            .arg(&config)
            .args(["--", "/bin/true"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        let said = stderr(&output);
        for word in words {
            assert!(said.contains(word), "no {word} in {said}");
        }
    }
}

#[test]
fn a_working_directory_full_of_configuration_changes_nothing() {
    let folder = shared_folder();
    for name in ["config.toml", ".pkgwarden.toml", "pkgwarden.toml"] {
        fs::write(folder.path().join(name), "nonsense").unwrap();
    }
    let output = pkgwarden()
        .current_dir(folder.path())
        .args(["run", "--if-unavailable", "warn", "--", "/bin/true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn an_output_through_a_planted_link_is_refused_before_the_command_starts() {
    let folder = shared_folder();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let link = folder.path().join("report.json");
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    let ran = folder.path().join("ran");
    let output = pkgwarden()
        .args(["run", "--if-unavailable", "warn", "--report"])
        .arg(&link)
        .args(["--", "/usr/bin/touch"])
        .arg(&ran)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(stderr(&output).contains("symbolic link"), "{output:?}");
    assert!(!ran.exists());
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

#[test]
fn rules_and_doctor_need_no_privileges() {
    let checked = pkgwarden().args(["rules", "check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let doctor = pkgwarden()
        .args(["doctor", "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(doctor.status.code(), Some(1), "{doctor:?}");
    let found: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(found["ok"], false);
    let missing = found["checks"].as_array().unwrap().iter();
    let missing: Vec<_> = missing
        .filter(|check| check["state"] == "missing")
        .collect();
    assert!(
        missing.iter().any(|check| check["name"] == "capabilities"),
        "{found}"
    );
    assert!(
        missing.iter().all(|check| check["advice"].is_string()),
        "{found}"
    );
}

#[test]
fn the_selftest_without_privileges_is_77() {
    let output = pkgwarden().arg("selftest").output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{output:?}");
}

#[test]
fn a_sensor_that_is_told_nonsense_says_so_and_ends() {
    for (input, word) in [
        ("", ""),
        ("nonsense\n", "can't be read"),
        ("{\"watch\":{\"pid\":1}}\n", "start"),
    ] {
        let output = pkgwarden()
            .arg("sensor")
            .write_stdin(input)
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(out.contains(word), "{input:?}: {output:?}");
        assert!(
            out.is_empty() || out.starts_with("{\"reply\":{\"failed\""),
            "{out}"
        );
    }
}

#[test]
fn launch_by_hand_is_refused() {
    let output = pkgwarden()
        .args(["launch", "--go", "77", "--fault", "78", "--", "/bin/true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
}

#[test]
fn without_a_daemon_what_it_recorded_is_roots_to_read() {
    for (words, status) in [
        (&["alerts"][..], 77),
        (&["alerts", "-f"], 77),
        (&["sessions"], 77),
        (&["explain", "c2b1f0d4-1f7e-5c3a-9a53-5f1f8f0a6b11"], 77),
        // A gate that can't ask is no gate that lets through.
        (&["check", "--fail-on", "high"], 87),
    ] {
        let output = pkgwarden()
            .env("PKGWARDEN_CONTROL", "/nonexistent/control")
            .args(words)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let said = stderr(&output);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("no daemon answers"), "{said}");
    }
}
