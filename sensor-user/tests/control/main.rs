//! The control socket as other users meet it: a daemon in all but the kernel, clients that are
//! processes of their own. Needs root, to become somebody else.

mod daemon;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use daemon::{Daemon, ONE, OTHER};

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("SKIP: only root can become another user");
    }
    root
}

fn as_user(uid: u32, program: &Path) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command
        .arg(format!("--reuid={uid}"))
        .arg(format!("--regid={uid}"))
        .args(["--clear-groups", "--"])
        .arg(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn shared_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    folder
}

fn run(uid: u32, program: &Path, socket: &Path, report: &Path, script: &str) -> Child {
    as_user(uid, program)
        .env("PKGWARDEN_CONTROL", socket)
        .env("PATH", "/nonexistent")
        .args(["run", "--report"])
        .arg(report)
        .args(["--", "/bin/sh", "-c", script])
        .spawn()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn report(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn many_runs_of_two_users_each_get_their_own_tree_and_are_told_what_was_not_shown() {
    if !is_root() {
        return;
    }
    let daemon = Daemon::start();
    let folder = shared_folder();
    let begun: Vec<_> = (0..8)
        .map(|number| {
            let uid = if number % 2 == 0 { ONE } else { OTHER };
            let path = folder.path().join(format!("{number}.json"));
            let child = daemon.run(uid, &path, "/bin/sleep 3; exit 7");
            (child, path)
        })
        .collect();
    for (child, path) in begun {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        let report = report(&path);
        assert_eq!(report["processes"], 4, "{report}");
        let completeness = &report["completeness"];
        assert_eq!(completeness["complete"], false, "{report}");
        let why = completeness["degraded"].to_string();
        assert!(
            why.contains("4 events of processes of other users"),
            "{why}"
        );
        let count = |key: &str| completeness[key].as_u64().unwrap();
        assert_eq!(count("generated"), 8);
        let sum = count("delivered") + count("filtered") + count("in_flight") + count("lost");
        assert_eq!(count("generated"), sum);
    }
}

#[test]
fn a_daemon_that_goes_away_leaves_the_command_alone_and_the_report_says_so() {
    if !is_root() {
        return;
    }
    let daemon = Daemon::start();
    let folder = shared_folder();
    let path = folder.path().join("report.json");
    let begun = folder.path().join("begun");
    let script = format!(": > {}; /bin/sleep 2; exit 3", begun.display());
    let child = daemon.run(ONE, &path, &script);
    let asked = Instant::now();
    while !begun.exists() && asked.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(daemon);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let why = report(&path)["completeness"]["degraded"].to_string();
    assert!(why.contains("the watch ended before the command"), "{why}");
    assert!(why.contains("the daemon"), "{why}");
}

#[test]
fn what_was_tried_and_what_to_do_is_one_sentence() {
    if !is_root() {
        return;
    }
    let daemon = Daemon::start();
    let folder = shared_folder();
    let path = folder.path().join("report.json");
    let refused = |socket: &Path| {
        let output = run(ONE, &daemon.program(), socket, &path, "exit 0")
            .wait_with_output()
            .unwrap();
        assert_eq!(output.status.code(), Some(125), "{}", said(&output));
        let said = said(&output);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("sudo"), "{said}");
        said
    };
    let nobody = refused(Path::new("/tmp/no-such-folder/control"));
    assert!(nobody.contains("no daemon answers"), "{nobody}");
    fs::set_permissions(daemon.path(), Permissions::from_mode(0o600)).unwrap();
    let closed = refused(&daemon.path());
    assert!(closed.contains("group pkgwarden"), "{closed}");
    // One of the caller's own making, as watched code could make it.
    let own = folder.path().join("control");
    let _listener = std::os::unix::net::UnixListener::bind(&own).unwrap();
    let false_one = refused(&own);
    assert!(false_one.contains("not trusted"), "{false_one}");
}

const PYTHON: &str = "/usr/bin/python3";

/// Python as that user, with the socket's path as its argument.
fn python(uid: u32, script: &str, socket: &Path) -> Option<Command> {
    if !Path::new(PYTHON).exists() {
        println!("SKIP: there is no {PYTHON}");
        return None;
    }
    let mut command = as_user(uid, Path::new(PYTHON));
    command.args(["-c", script]).arg(socket);
    Some(command)
}

#[test]
fn a_user_sees_what_is_of_their_own_uid_and_what_all_suffered_from() {
    if !is_root() {
        return;
    }
    let daemon = Daemon::start();
    let ask = r#"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'{"query":{"query":{"health":true,"viewer":0},"drain":true}}\n')
print(s.makefile().read())
"#;
    let owners = |uid: u32| {
        let output = python(uid, ask, &daemon.path())?.output().unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<serde_json::Value> = answer
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        assert!(lines.iter().any(|line| line["end"].is_object()), "{answer}");
        let owners = lines.iter().filter_map(|line| line["owner"].as_u64());
        Some(owners.collect::<Vec<_>>())
    };
    let Some(of_one) = owners(ONE) else { return };
    // Root's last one says that events were lost: everybody's.
    assert_eq!(of_one, [u64::from(ONE), 0]);
    assert_eq!(owners(OTHER), Some(vec![u64::from(OTHER), 0]));
    assert_eq!(owners(0).map(|all| all.len()), Some(5));
}

#[test]
fn a_user_who_takes_all_connections_there_are_takes_their_own() {
    if !is_root() {
        return;
    }
    let daemon = Daemon::start();
    let flood = r#"
import socket, sys, time
held, last = [], b''
for _ in range(1000):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    held.append(s)
print(held[-1].recv(1000).decode(), flush=True)
time.sleep(60)
"#;
    let Some(mut flooder) = python(ONE, flood, &daemon.path()) else {
        return;
    };
    let mut flooder = flooder.spawn().unwrap();
    let mut refusal = String::new();
    let heard = flooder.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(heard), &mut refusal).unwrap();
    assert!(refusal.contains("the most a user may have"), "{refusal}");
    let folder = shared_folder();
    let path = folder.path().join("report.json");
    let asked = Instant::now();
    let output = daemon
        .run(OTHER, &path, "exit 0")
        .wait_with_output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    let _ = flooder.kill();
    let _ = flooder.wait();
}
