//! Machines and callers that lack something: said in one sentence, never silently blind.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use tests::{Scratch, Seen, Turn, Watched, fixture, mounts, need, pkgwarden, require};

const NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

/// A copy of the program that every user can start.
fn for_everyone(scratch: &Scratch) -> PathBuf {
    let copy = scratch.out().join("pkgwarden");
    fs::copy(pkgwarden(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

/// Status 125, one sentence that holds this word, and the command did not run.
fn refused(seen: &Seen, word: &str) {
    seen.ended_with(125);
    let lower = seen.stderr.to_lowercase();
    assert!(lower.contains(word), "no word of {word}\n{seen:?}");
    assert!(!seen.stderr.contains("panicked"), "{seen:?}");
    assert!(!seen.stdout.contains("the command ran"), "{seen:?}");
}

const SAYS_SO: [&str; 3] = ["sh", "-c", "echo the command ran"];

#[test]
fn without_privileges_the_command_does_not_run_and_one_sentence_says_why() {
    need!(require::live(), require::programs(&["setpriv"]));
    let _turn = Turn::shared();
    let scratch = Scratch::for_everyone();
    // Without the way through sudo, whatever this machine's sudoers say.
    let enter = mounts::private("mount -t tmpfs -o mode=0755 tmpfs /etc/sudoers.d");
    let seen = Watched::run(&scratch, SAYS_SO)
        .binary(for_everyone(&scratch))
        .inside(NOBODY)
        .inside(enter)
        .finish();
    refused(&seen, "root");
}

#[test]
fn without_privileges_warn_runs_the_command_and_the_report_says_unwatched() {
    need!(require::live(), require::programs(&["setpriv"]));
    let _turn = Turn::shared();
    let scratch = Scratch::for_everyone();
    let enter = mounts::private("mount -t tmpfs -o mode=0755 tmpfs /etc/sudoers.d");
    let seen = Watched::run(&scratch, SAYS_SO)
        .binary(for_everyone(&scratch))
        .options(["--if-unavailable", "warn"])
        .inside(NOBODY)
        .inside(enter)
        .finish();
    seen.ended_with(0);
    assert!(seen.stdout.contains("the command ran"), "{seen:?}");
    assert_eq!(seen.report["completeness"]["complete"], false, "{seen:?}");
    assert!(
        !seen.report["completeness"]["degraded"]
            .as_array()
            .unwrap()
            .is_empty(),
        "{seen:?}"
    );
}

#[test]
fn through_sudo_the_command_runs_as_its_caller_and_is_watched() {
    need!(require::live(), require::programs(&["setpriv", "sudo"]));
    let _turn = Turn::shared();
    let scratch = Scratch::for_everyone();
    let enter = mounts::private(
        "mount -t tmpfs -o mode=0755 tmpfs /etc/sudoers.d
        echo '#65534 ALL=(root) NOPASSWD: ALL' > /etc/sudoers.d/test
        chmod 0440 /etc/sudoers.d/test",
    );
    let rules = fixture::folder("rules/numbered/files.yml");
    let folder = scratch.project().join("rules");
    fs::create_dir(&folder).unwrap();
    fs::copy(rules, folder.join("files.yml")).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let seen = Watched::run(
        &scratch,
        [
            "sh",
            "-c",
            "id -u; echo \"$HOME\"; sh -c ': the-count-is-done'",
        ],
    )
    .binary(for_everyone(&scratch))
    .options(["--rules".as_ref(), folder.as_os_str()])
    .inside(NOBODY)
    .inside(enter)
    .finish();
    seen.ended_with(0).complete();
    assert_eq!(
        seen.stdout,
        format!("65534\n{}\n", scratch.home().display()),
        "{seen:?}"
    );
    assert!(!seen.alerts.is_empty(), "{seen:?}");
    let report = fs::metadata(scratch.out().join("report.json")).unwrap();
    assert_eq!(report.uid(), 65534, "the report is not the caller's");
}

#[test]
fn under_sudo_the_command_runs_as_the_calling_user_and_a_hint_says_so() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::for_everyone();
    let seen = Watched::run(&scratch, ["id", "-u"])
        .env("SUDO_UID", "65534")
        .env("SUDO_GID", "65534")
        .env("SUDO_USER", "nobody")
        .finish();
    seen.ended_with(0);
    assert_eq!(seen.stdout, "65534\n", "{seen:?}");
    assert!(seen.stderr.contains("sudo"), "no hint\n{seen:?}");
}

#[test]
fn without_btf_it_refuses_and_names_btf() {
    need!(require::live(), require::programs(&["unshare"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let empty = scratch.out().join("empty");
    fs::write(&empty, "").unwrap();
    let enter = mounts::private(&format!(
        "mount --bind '{}' /sys/kernel/btf/vmlinux",
        empty.display()
    ));
    let seen = Watched::run(&scratch, SAYS_SO).inside(enter).finish();
    refused(&seen, "btf");
}

/// An exec, an open, a connect and a rename, under the rules that watch `*.numbered`.
fn four_acts(scratch: &Scratch, enter: Vec<String>) -> Seen {
    let rules = fixture::folder("rules/numbered");
    let act = env!("CARGO_BIN_EXE_act");
    Watched::run(
        scratch,
        [act, "chain", "5", "in", scratch.tmp().to_str().unwrap()],
    )
    .options([
        "--no-default-rules".as_ref(),
        "--rules".as_ref(),
        rules.as_os_str(),
    ])
    .inside(enter)
    .finish()
}

fn sees_all_four(seen: &Seen) {
    for kind in ["exec", "open", "connect", "rename"] {
        assert!(
            seen.capture.of(kind).count() >= 5,
            "too few of {kind}\n{seen:?}"
        );
    }
}

#[test]
fn where_tracefs_is_not_mounted_it_still_watches_or_refuses_and_names_it() {
    need!(require::live(), require::programs(&["unshare"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let enter = mounts::private(
        "umount -l /sys/kernel/tracing 2> /dev/null || :
        umount -l /sys/kernel/debug 2> /dev/null || :",
    );
    let seen = four_acts(&scratch, enter);
    if seen.code() == 125 {
        refused(&seen, "tracefs");
    } else {
        seen.ended_with(0).complete();
        sees_all_four(&seen);
    }
}

#[test]
fn without_a_cgroup2_mount_connects_are_seen_by_the_fallback_hook() {
    need!(require::live(), require::programs(&["unshare", "umount"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let enter = mounts::private(
        "for mount in $(awk '$3 == \"cgroup2\" { print $2 }' /proc/mounts); do umount -l \"$mount\"; done",
    );
    let seen = four_acts(&scratch, enter);
    seen.ended_with(0).complete();
    sees_all_four(&seen);
    let hooks = seen.report["completeness"]["hooks"].to_string();
    assert!(
        hooks.contains("connect: ") && !hooks.contains("connect: cgroup"),
        "{hooks}"
    );
}

#[test]
fn with_no_command_it_says_how_to_use_it() {
    need!(require::live());
    let _turn = Turn::shared();
    let output = std::process::Command::new(pkgwarden())
        .args(["run", "--"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).contains("run"));
}

#[test]
fn a_doctor_that_finds_everything_ends_with_0_and_names_the_hooks() {
    need!(require::live());
    let _turn = Turn::shared();
    let output = std::process::Command::new(pkgwarden())
        .arg("doctor")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for word in ["exec", "connect", "open", "rename", "BTF"] {
        assert!(text.contains(word), "no word of {word} in\n{text}");
    }
}
