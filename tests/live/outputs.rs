//! What watched code may do to the files that pkgwarden writes.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Scratch, Turn, Watched, need, pkgwarden, require};

#[test]
fn an_output_that_the_command_replaces_by_a_symlink_does_not_lead_anywhere_else() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let victim = scratch.home().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let out = scratch.out();
    let script = format!(
        "for f in report.json alerts.ndjson capture.ndjson; do rm -f {out}/$f; ln -s {victim} {out}/$f; done",
        out = out.display(),
        victim = victim.display()
    );
    let run = Watched::run(&scratch, ["sh", "-c", &script]).start();
    // What was written went into the files held since before the command: the links lead to
    // unparseable text, so nothing is read back here.
    let status = {
        run.until("the command and the run have ended", |run| {
            fs::read_to_string(format!("/proc/{}/stat", run.pid()))
                .is_ok_and(|stat| stat.contains(") Z "))
        });
        fs::read_to_string(&victim).unwrap()
    };
    assert_eq!(
        status, "untouched",
        "pkgwarden wrote through a planted link"
    );
}

#[test]
fn an_output_that_is_a_symlink_from_the_start_is_refused() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let victim = scratch.home().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let link = scratch.project().join("summary.md");
    symlink(&victim, &link).unwrap();
    let ran = scratch.tmp().join("ran");
    let seen = Watched::run(&scratch, ["touch", ran.to_str().unwrap()])
        .options(["--summary".as_ref(), link.as_os_str()])
        .finish();
    seen.ended_with(125);
    assert!(seen.stderr.contains("summary.md"), "{seen:?}");
    assert!(
        !ran.exists(),
        "the command ran though set-up failed\n{seen:?}"
    );
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
}

#[test]
fn an_output_in_a_folder_that_is_not_there_is_refused_before_the_command_starts() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let ran = scratch.tmp().join("ran");
    let summary = scratch.project().join("no/such/folder/summary.md");
    let seen = Watched::run(&scratch, ["touch", ran.to_str().unwrap()])
        .options(["--summary".as_ref(), summary.as_os_str()])
        .finish();
    seen.ended_with(125);
    assert!(seen.stderr.contains("no/such/folder"), "{seen:?}");
    assert!(!ran.exists(), "{seen:?}");
}

#[test]
fn a_capture_is_readable_by_its_owner_alone() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = Watched::run(&scratch, ["true"]).finish();
    seen.ended_with(0);
    let mode = fs::metadata(&seen.capture_file).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn the_summary_is_appended_and_names_the_finding() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let summary = scratch.write("summary.md", "# before\n");
    let archive = tests::fixture::npm_archive(&scratch, "recon-postinstall");
    let seen = Watched::run(&scratch, ["npm", "install", &archive, "--offline"])
        .options(["--summary".as_ref(), summary.as_os_str()])
        .finish();
    seen.ended_with(0);
    let text = fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("# before\n"), "{text}");
    assert!(text.contains("left-padding-fixture"), "{text}\n{seen:?}");
}

#[test]
fn a_token_on_a_command_line_is_in_no_output() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let secret = "hunter2hunter2hunter2";
    let line = format!(
        "whoami > /dev/null; : 'Authorization: Bearer {secret}' \
         https://user:{secret}@127.0.0.1/x --password={secret}"
    );
    let archive = tests::fixture::npm_archive_that_runs(&scratch, &line);
    // Silent, because npm itself prints the script.
    let seen = Watched::run(
        &scratch,
        ["npm", "install", &archive, "--offline", "--silent"],
    )
    .min_level("informational")
    .finish();
    seen.ended_with(0);
    let capture = fs::read_to_string(&seen.capture_file).unwrap();
    let alerts = String::from_utf8(seen.raw_alerts.clone()).unwrap();
    assert!(alerts.contains("whoami"), "{seen:?}");
    for (name, text) in [
        ("the capture", &capture),
        ("the alerts", &alerts),
        ("the report", &seen.report.to_string()),
        ("stderr", &seen.stderr),
    ] {
        assert!(!text.contains(secret), "the secret is in {name}\n{seen:?}");
    }
}

#[test]
fn alerts_that_nobody_reads_hold_up_neither_the_watch_nor_the_command() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let report = scratch.out().join("report.json");
    // A pipe holds a quarter of what is raised about these.
    let script = "for i in range(45):
    try: open(f'/nowhere/{i}/.ssh/id_ed25519')
    except OSError: pass";
    let (unread, stdout) = std::io::pipe().unwrap();
    let mut run = Command::new(pkgwarden())
        .args(["run", "--alerts", "-", "--linger", "0", "--report"])
        .arg(&report)
        .args(["--", "python3", "-c", script])
        .stdout(stdout)
        .stderr(File::create(scratch.out().join("stderr")).unwrap())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let status = loop {
        match run.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            None => {
                run.kill().unwrap();
                panic!("it waits for somebody to read");
            }
        }
    };
    drop(unread);
    assert!(status.success(), "{status}");
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report["alerts"].as_array().map(Vec::len), Some(45));
    assert_eq!(report["completeness"]["complete"], true, "{report}");
    let said = fs::read_to_string(scratch.out().join("stderr")).unwrap();
    assert!(
        said.contains("records are missing in the file of alerts"),
        "{said}"
    );
}
