//! Attempts to leave the watched tree, to be taken for someone else, and to overfill the set.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::{Alert, Scratch, Seen, Turn, Watched, fixture, need, require};

const SPAWNED: &str = "PackageInstallSpawnedSuspiciousProcess";

/// Installs a package whose postinstall is this.
fn install(scratch: &Scratch, postinstall: &str) -> Seen {
    let archive = fixture::npm_archive_that_runs(scratch, postinstall);
    let seen = Watched::run(scratch, ["npm", "install", &archive, "--offline"]).finish();
    seen.ended_with(0).complete();
    seen.capture.all_in_the_watched_tree();
    seen
}

/// The alert on `id`, which the command line with this word ran; it must name the package.
fn caught<'a>(seen: &'a Seen, word: &str) -> &'a Alert {
    let alert = seen.alert(
        SPAWNED,
        "medium",
        &format!("on id beside {word}"),
        |alert| {
            alert
                .command_lines()
                .iter()
                .any(|line| line.contains(word) && line.contains("id"))
        },
    );
    assert_eq!(alert.text("/package/name"), "hostile-fixture", "{alert:?}");
    assert_eq!(alert.text("/package/version"), "6.6.6", "{alert:?}");
    assert_eq!(alert.text("/install/installer"), "npm", "{alert:?}");
    alert
}

#[test]
fn an_empty_environment_another_folder_and_session_change_nothing() {
    need!(require::live(), require::programs(&["npm", "setsid"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = install(
        &scratch,
        "cd / && env -i /usr/bin/setsid -w /bin/sh -c 'id > /dev/null; : away'",
    );
    caught(&seen, ": away");
}

#[test]
fn a_double_forked_child_with_dead_parents_stays_in_its_session() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = fixture::act("double_fork.py");
    let seen = install(
        &scratch,
        &format!(
            "/usr/bin/python3 '{}' orphan > /dev/null 2>&1",
            script.display()
        ),
    );
    let alert = caught(&seen, ": orphan");
    // Who began it is still told, though no process of the chain lives.
    assert!(
        alert
            .command_lines()
            .iter()
            .any(|line| line.contains("npm")),
        "{alert:?}"
    );
}

#[test]
fn a_thread_that_execs_after_its_leader_ended_stays_in_its_session() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = fixture::act("leader_gone_thread_execs.py");
    let seen = install(
        &scratch,
        &format!("/usr/bin/python3 '{}' headless", script.display()),
    );
    caught(&seen, ": headless");
}

#[test]
fn a_process_that_outlives_the_command_is_named_on_the_report() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = Watched::run(
        &scratch,
        [
            "sh",
            "-c",
            "setsid sleep 6 > /dev/null 2>&1 < /dev/null & :",
        ],
    )
    .options(["--linger", "1"])
    .finish();
    seen.ended_with(0).complete();
    let still = seen.report["still_running"].to_string();
    assert!(still.contains("sleep"), "{still}\n{seen:?}");
}

#[test]
fn a_fork_storm_neither_sheds_nor_loses_the_lineage() {
    need!(require::live(), require::programs(&["perl"]));
    const FORKS: usize = 50_000;
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    let script = fixture::act("fork_storm.pl");
    let archive = fixture::npm_archive_that_runs(
        &scratch,
        &format!("perl '{}' {FORKS} after-the-storm", script.display()),
    );
    let seen = Watched::run(&scratch, ["npm", "install", &archive, "--offline"])
        .deadline(240)
        .finish();
    seen.ended_with(0).complete();
    seen.capture.all_in_the_watched_tree();
    caught(&seen, "after-the-storm");
    let forks = seen.capture.of("fork").count();
    assert!(forks >= FORKS, "{forks} forks recorded\n{seen:?}");
}

#[test]
fn a_full_set_is_a_health_alert_and_an_incomplete_session() {
    need!(require::live());
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    let script = fixture::act("many_children.py");
    let seen = Watched::run(
        &scratch,
        [
            "/usr/bin/python3",
            script.to_str().unwrap(),
            "200",
            "in-the-crowd",
        ],
    )
    .tuning("lineage_entries=64")
    .finish();
    seen.ended_with(0);
    assert!(
        seen.health
            .iter()
            .any(|health| health["code"] == "lineage_full"),
        "{seen:?}"
    );
    assert_eq!(seen.report["completeness"]["complete"], false, "{seen:?}");
}

/// Starts `/bin/true MARKER` outside until one has this pid; whether that came about.
fn take_over_pid(pid: u32, marker: &str) -> bool {
    (0..400).any(|_| {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).is_ok()
            && Command::new("/bin/true")
                .arg(marker)
                .spawn()
                .is_ok_and(|mut child| {
                    child.wait().unwrap();
                    child.id() == pid
                })
    })
}

#[test]
fn an_outsider_that_gets_the_pid_of_a_watched_process_is_not_watched() {
    need!(require::live());
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    let (pid_file, go) = (scratch.tmp().join("pid"), scratch.tmp().join("go"));
    let script = format!(
        "sh -c 'echo $$ > {pid}.new; mv {pid}.new {pid}; :'; while [ ! -e {go} ]; do sleep 0.05; done",
        pid = pid_file.display(),
        go = go.display()
    );
    let run = Watched::run(&scratch, ["sh", "-c", &script]).start();
    run.until("the watched process wrote its pid", |_| pid_file.exists());
    let pid: u32 = fs::read_to_string(&pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    run.until("that process is gone", |_| {
        !Path::new(&format!("/proc/{pid}")).exists()
    });
    let reused = take_over_pid(pid, "outsider-with-a-used-pid");
    fs::write(&go, "").unwrap();
    let seen = run.wait();
    if !reused {
        return require::skip("the kernel did not give the pid again");
    }
    seen.ended_with(0).complete();
    assert_eq!(
        seen.capture.execs_with("outsider-with-a-used-pid").count(),
        0,
        "{seen:?}"
    );
    assert!(
        seen.capture
            .of("fork")
            .any(|event| event["child"]["pid"] == pid),
        "the first owner of the pid was not seen\n{seen:?}"
    );
}
