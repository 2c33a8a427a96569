//! Names and arguments made to break a reader: newlines, escapes, bytes that are not text, great
//! length; and files that hang whoever opens them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tests::{Scratch, Seen, Turn, Watched, fixture, need, require, unescape};

const NASTY: &[u8] =
    b"a\n::error file=x::boo\x1b[31m\r##[error]<script>`x`|\xff\xfe \\x41.numbered";

fn numbered(scratch: &Scratch, command: Vec<OsString>) -> Seen {
    let rules = fixture::folder("rules/numbered");
    Watched::run(scratch, command)
        .options([
            "--no-default-rules".as_ref(),
            "--rules".as_ref(),
            rules.as_os_str(),
        ])
        .min_level("informational")
        .finish()
}

/// Nothing of the watched code may act on a terminal or a CI log.
fn harmless_on_a_terminal(text: &str) {
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "control characters on the terminal: {text:?}"
    );
    for line in text.lines() {
        let line = line.trim_start();
        assert!(
            !line.starts_with("::error file=x") && !line.starts_with("##["),
            "a CI command on the terminal: {line:?}"
        );
    }
}

#[test]
fn a_path_of_newlines_escapes_and_broken_utf8_comes_back_byte_for_byte() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let mut path = scratch.tmp().into_os_string().into_vec();
    path.push(b'/');
    path.extend(NASTY.iter().filter(|&&b| b != b'/'));
    let path = OsString::from_vec(path);
    let seen = numbered(
        &scratch,
        vec![
            "sh".into(),
            "-c".into(),
            ": > \"$1\"".into(),
            "sh".into(),
            path.clone(),
        ],
    );
    seen.ended_with(0).complete();
    let found = seen.capture.of("open").any(|event| {
        let recorded = event["open"]["path"].as_str().unwrap_or_default();
        unescape(recorded) == path.clone().into_vec()
    });
    assert!(found, "{seen:?}");
    harmless_on_a_terminal(&seen.stderr);
    let alert = seen
        .alerts
        .iter()
        .find(|alert| !alert.at("/file").is_null())
        .unwrap_or_else(|| panic!("no alert\n{seen:?}"));
    assert_eq!(
        unescape(alert.text("/file/path")),
        path.into_vec(),
        "{alert:?}"
    );
}

#[test]
fn arguments_of_newlines_escapes_and_broken_utf8_come_back_byte_for_byte() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let nasty = OsString::from_vec(NASTY.to_vec());
    let seen = numbered(
        &scratch,
        vec![
            "sh".into(),
            "-c".into(),
            ": the-count-is-done".into(),
            "sh".into(),
            nasty,
        ],
    );
    seen.ended_with(0).complete();
    let recorded = seen
        .capture
        .of("exec")
        .filter_map(|event| event["exec"]["args"][4].as_str())
        .any(|arg| unescape(arg) == NASTY);
    assert!(recorded, "{seen:?}");
    harmless_on_a_terminal(&seen.stderr);
    assert!(!seen.alerts.is_empty(), "{seen:?}");
}

#[test]
fn annotations_of_hostile_names_stay_one_line_each() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let rules = fixture::folder("rules/numbered");
    let nasty = OsString::from_vec(NASTY.to_vec());
    let command: Vec<OsString> = vec![
        "sh".into(),
        "-c".into(),
        ": the-count-is-done".into(),
        "sh".into(),
        nasty,
    ];
    let summary = scratch.write("summary.md", "");
    let seen = Watched::run(&scratch, command)
        .options([
            "--no-default-rules".as_ref(),
            "--rules".as_ref(),
            rules.as_os_str(),
        ])
        .options(["--annotate", "github"])
        .options(["--summary".as_ref(), summary.as_os_str()])
        .finish();
    seen.ended_with(0);
    let printed = format!("{}{}", seen.stdout, seen.stderr);
    assert!(printed.contains("the-count-is-done"), "{seen:?}");
    for line in printed.lines() {
        assert!(!line.starts_with("::error file=x::boo"), "{line:?}");
        assert!(!line.starts_with("##["), "{line:?}");
    }
    assert!(!printed.contains('\x1b'), "{printed:?}");
    let summary = fs::read_to_string(summary).unwrap();
    assert!(!summary.contains("<script>"), "{summary}");
    assert!(!summary.contains('\x1b'), "{summary:?}");
}

#[test]
fn a_path_of_four_kilobytes_is_whole_or_marked() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    // Deeper than PATH_MAX: each step is relative, so the kernel allows it.
    let script = "import os\n\
        for level in range(20):\n    \
            name = ('%02d-' % level) + 'n' * 240\n    \
            os.mkdir(name); os.chdir(name)\n\
        os.close(os.open('far.numbered', os.O_CREAT | os.O_WRONLY))\n";
    let seen = numbered(
        &scratch,
        vec!["/usr/bin/python3".into(), "-c".into(), script.into()],
    );
    seen.ended_with(0).complete();
    let open = seen
        .capture
        .of("open")
        .find(|event| {
            event["open"]["path"]
                .as_str()
                .is_some_and(|p| p.ends_with("/far.numbered"))
        })
        .unwrap_or_else(|| panic!("not seen\n{seen:?}"));
    let path = open["open"]["path"].as_str().unwrap();
    let whole = path.starts_with(scratch.project().to_str().unwrap());
    assert!(whole || open["open"]["truncated"] == true, "{open}");
    assert!(
        path.contains("19-nnn"),
        "the nearest folders are what must stay: {open}"
    );
    // The harness could not remove it by its whole name.
    let _ = std::process::Command::new("rm")
        .arg("-rf")
        .arg(scratch.project())
        .status();
}

#[test]
fn a_command_line_of_two_megabytes_keeps_its_head_and_its_tail() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = "import os\n\
        os.execv('/bin/sh', ['sh', '-c', ': the-count-is-done']\n    \
            + ['y' * 100_000] * 20 + ['the-last-argument'])\n";
    let seen = numbered(
        &scratch,
        vec!["/usr/bin/python3".into(), "-c".into(), script.into()],
    );
    seen.ended_with(0).complete();
    let exec = seen
        .capture
        .execs_with(": the-count-is-done")
        .next()
        .unwrap_or_else(|| panic!("its head is missing\n{seen:?}"));
    assert_eq!(exec["exec"]["args_truncated"], true);
    let args = exec["exec"]["args"].as_array().unwrap();
    assert_eq!(args.last().unwrap(), "the-last-argument");
    let alert = seen.alert(
        "PackageInstallSpawnedSuspiciousProcess",
        "high",
        "on the long command line",
        |alert| alert.at("/process/args_truncated") == true,
    );
    assert!(alert.0.to_string().len() <= 256 * 1024);
}

/// An install in a project where this file is a FIFO that nobody writes to.
fn with_a_fifo(scratch: &Scratch, fifo: &Path, command: &[&str]) -> Seen {
    fs::create_dir_all(fifo.parent().unwrap()).unwrap();
    mkfifo(fifo, Mode::S_IRWXU).unwrap();
    Watched::run(scratch, command).deadline(60).finish()
}

#[test]
fn a_fifo_where_the_manifest_should_be_does_not_hang_the_sensor() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let package = scratch.project().join("node_modules/hanging");
    // As npm would start it: a lifecycle script, in the package's folder.
    let script = format!(
        "cd {} && npm_lifecycle_event=postinstall npm_package_name=hanging npm_package_version=1.0.0 \
         npm_package_json={}/package.json node -e 'require(\"child_process\").execSync(\"id\")'",
        package.display(),
        package.display()
    );
    let seen = with_a_fifo(
        &scratch,
        &package.join("package.json"),
        &["sh", "-c", &script],
    );
    // Node itself stops at such a manifest or not; pkgwarden must come to its end either way.
    assert!(seen.report["completeness"].is_object(), "{seen:?}");
    seen.sums();
}

#[test]
fn a_fifo_at_the_npmrc_of_the_home_does_not_hang_the_sensor() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let npmrc = scratch.home().join(".npmrc");
    // Opened without waiting, as a harvester would try it.
    let script =
        "import os; os.close(os.open(os.environ['HOME'] + '/.npmrc', os.O_RDONLY | os.O_NONBLOCK))";
    let seen = with_a_fifo(&scratch, &npmrc, &["/usr/bin/python3", "-c", script]);
    seen.ended_with(0).complete();
}

#[test]
fn a_fifo_at_the_npmrc_of_the_project_does_not_hang_the_sensor() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let npmrc = scratch.project().join(".npmrc");
    let seen = with_a_fifo(&scratch, &npmrc, &["node", "-e", "0"]);
    seen.ended_with(0).complete();
}
