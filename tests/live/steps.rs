//! Steps of a CI job under the daemon: below a program with a worker's name, which is all that a worker is
//! told by.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tests::{
    Alert, Background, Daemon, NetworkNamespace, Scratch, Turn, fixture, need, pkgwarden, require,
};

/// What a test does, by words that begin so.
const MARKED: &str = "title: A marked program was started
id: 0d6f43f0-1df4-4a86-9d94-6f0f4c1f5c02
status: test
description: Shows the scope and the session of a process.
level: medium
logsource:
  product: linux
  category: process_creation
detection:
  selection:
    CommandLine|re: '/true marked-[a-z0-9-]+$'
  condition: selection
falsepositives:
  - None; it is a test.
pkgwarden:
  branch: PackageInstallSpawnedSuspiciousProcess
  confidence: high
  playbook:
    respond:
      - Nothing.
";

/// A shell with a worker's name, which runs the lines one after the other: each is a step.
fn worker(scratch: &Scratch, name: &str) -> PathBuf {
    let folder = scratch.home().join("actions-runner/bin");
    fs::create_dir_all(&folder).unwrap();
    let worker = folder.join(name);
    fs::copy("/bin/bash", &worker).unwrap();
    worker
}

fn step(scratch: &Scratch, name: &str, script: &str) -> String {
    let script = scratch.write(name, script);
    format!("/usr/bin/bash -e {}", script.display())
}

fn daemon(scratch: &Scratch) -> Daemon {
    let rules = scratch.tmp().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("marked.yml"), MARKED).unwrap();
    Daemon::start(scratch, ["--rules".as_ref(), rules.as_os_str()])
}

/// Of what was started with this word.
fn marked(daemon: &Daemon, scratch: &Scratch, word: &str) -> Alert {
    let project = scratch.project().display().to_string();
    daemon.alert(word, |alert| {
        let line = alert.text("/process/working_directory");
        alert
            .text("/row/SubjectCmdLine")
            .ends_with(&format!("/true {word}"))
            && line.starts_with(&project)
    })
}

fn scope(alert: &Alert) -> Vec<&str> {
    let scope = alert.at("/scope").as_array();
    scope
        .into_iter()
        .flatten()
        .filter_map(|word| word.as_str())
        .collect()
}

fn session(alert: &Alert) -> &str {
    let session = alert.text("/evidence/fields/SessionId");
    assert!(!session.is_empty(), "{alert:?}");
    session
}

#[test]
fn each_child_of_a_worker_is_a_step_and_nothing_leaves_it() {
    need!(require::live(), require::programs(&["npm", "setsid"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = "/bin/true marked-install; cp /bin/bash ./gitlab-runner; \
                  ./gitlab-runner -c '/bin/true marked-fake; true'";
    let archive = fixture::npm_archive_that_runs(&scratch, script);
    let go = scratch.tmp().join("go");
    let first = step(
        &scratch,
        "first.sh",
        &format!(
            "/bin/true marked-plain\n\
             env -i /bin/true marked-bare\n\
             setsid --fork /bin/true marked-setsid\n\
             (/bin/sh -c '/bin/true marked-double & :' &)\n\
             npm install --offline {archive}\n"
        ),
    );
    let second = step(
        &scratch,
        "second.sh",
        "/bin/true marked-second\n/bin/true marked-again\n",
    );
    let worker = worker(&scratch, "Runner.Worker");
    let job = format!(
        "until [ -e {} ]; do sleep 0.05; done; {first}; {second}; :",
        go.display()
    );
    // It runs before the daemon does, as a worker may.
    let job = Background::start(&scratch, [worker.as_os_str(), "-c".as_ref(), job.as_ref()]);
    let daemon = daemon(&scratch);
    fs::write(&go, "").unwrap();
    job.succeeds();

    let marked = |word: &str| marked(&daemon, &scratch, word);
    let plain = marked("marked-plain");
    plain.keep_the_contract();
    assert_eq!(plain.at("/completeness/complete"), true, "{plain:?}");
    assert_eq!(plain.at("/completeness/started_late"), false, "{plain:?}");
    assert_eq!(
        plain.executables().last().map(String::as_str),
        Some("Runner.Worker")
    );
    for word in [
        "marked-plain",
        "marked-bare",
        "marked-setsid",
        "marked-double",
    ] {
        let alert = marked(word);
        assert_eq!(scope(&alert), ["ci_step"], "{alert:?}");
        assert_eq!(session(&alert), session(&plain), "{alert:?}");
    }
    let install = marked("marked-install");
    assert_eq!(scope(&install), ["install", "ci_step"]);
    assert_eq!(install.text("/evidence/fields/Scope"), "|install|ci_step|");
    assert_eq!(install.text("/package/name"), "hostile-fixture");
    // A worker in name only takes its children nowhere.
    let fake = marked("marked-fake");
    assert_eq!(scope(&fake), ["install", "ci_step"]);
    assert_eq!(session(&fake), session(&install));
    assert_eq!(fake.text("/package/name"), "hostile-fixture");
    let (second, again) = (marked("marked-second"), marked("marked-again"));
    assert_eq!(scope(&second), ["ci_step"]);
    assert_ne!(
        session(&second),
        session(&plain),
        "two steps are two sessions"
    );
    assert_eq!(session(&again), session(&second));
    daemon.stop();
}

/// What jobs do all day. The docker client may be missing or find no daemon.
const HONEST: &str = r##"
curl -fsS http://127.0.0.1:8099/install.sh | bash
sudo -n /usr/bin/id
sudo -n sh -c 'echo "#!/bin/sh" > /usr/local/bin/our-tool; chmod 755 /usr/local/bin/our-tool'
systemctl is-active docker || :
timeout 5 docker ps || :
./gitleaks detect --no-git
cat ~/.npmrc ~/.aws/credentials
curl -s -m 2 http://169.254.169.254/latest/meta-data/ || :
timeout 2 bash -c '</dev/tcp/127.0.0.1/8099'
git init -q repository && cd repository && echo x > x && git add x
git -c user.name=a -c user.email=a@b.invalid commit -q -m x && cd ..
tar -czf repository.tgz repository && rm -rf repository
ps aux > ps.txt; pgrep -f Runner.Worker || :
grep -c . /proc/meminfo; cat /proc/self/environ > /dev/null
echo Y3VybAo= | base64 -d > decoded
cp /bin/true /tmp/own-tool-$$ && /tmp/own-tool-$$; rm -f /tmp/own-tool-$$
"##;

#[test]
fn an_honest_step_raises_nothing_and_one_that_reads_its_worker_does() {
    need!(
        require::live(),
        require::programs(&["curl", "sudo", "git", "tar", "ip", "nsenter", "unshare"])
    );
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let network = NetworkNamespace::with_addresses(&["169.254.169.254"]);
    scratch.write("gitleaks", "#!/bin/sh\nexit 0\n");
    fs::set_permissions(
        scratch.project().join("gitleaks"),
        Permissions::from_mode(0o755),
    )
    .unwrap();
    for secret in [".npmrc", ".aws/credentials", "actions-runner/.credentials"] {
        let path = scratch.home().join(secret);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "# nothing\n").unwrap();
    }
    let served = scratch.tmp().join("served");
    fs::create_dir(&served).unwrap();
    fs::write(served.join("install.sh"), "id -u > /dev/null; uname -a\n").unwrap();
    let mut serve = network.enter();
    serve.extend(
        [
            "/usr/bin/python3",
            "-m",
            "http.server",
            "8099",
            "--directory",
        ]
        .map(str::to_owned),
    );
    serve.push(served.display().to_string());
    let server = Background::start(&scratch, serve);
    let daemon = daemon(&scratch);
    let honest = step(&scratch, "honest.sh", HONEST);
    let theft = step(
        &scratch,
        "theft.sh",
        "dd if=/proc/$PPID/mem of=/dev/null count=0\n\
         cat /proc/$PPID/environ ~/actions-runner/.credentials > /dev/null\n\
         /bin/true marked-end\n",
    );
    let worker = worker(&scratch, "Runner.Worker");
    // What a job writes to the machine it writes here to nowhere.
    let job = format!(
        "mount -t tmpfs none /usr/local/bin; {honest}; status=$?; /bin/true marked-honest; {theft}; exit $status"
    );
    let mut line = network.enter();
    line.extend(["unshare", "--mount", "--propagation", "private"].map(str::to_owned));
    line.extend([worker.display().to_string(), "-c".to_owned(), job]);
    server.until("the server listens", || {
        let mut ask = network.enter();
        ask.extend(["curl", "-fs", "http://127.0.0.1:8099/"].map(str::to_owned));
        let asked = std::process::Command::new(&ask[0]).args(&ask[1..]).output();
        asked.unwrap().status.success()
    });
    Background::start(&scratch, line).succeeds();
    marked(&daemon, &scratch, "marked-end");

    let mut by_step: BTreeMap<bool, Vec<(String, String)>> = BTreeMap::new();
    for alert in daemon.alerts() {
        if !alert
            .executables()
            .iter()
            .any(|name| name == "Runner.Worker")
        {
            continue;
        }
        let of_theft = alert
            .command_lines()
            .iter()
            .any(|line| line.contains("theft.sh"));
        let file = alert.text("/rule/file");
        let rule = file.rsplit('/').next().unwrap_or(file).to_owned();
        if !rule.ends_with("marked.yml") {
            assert_eq!(scope(&alert), ["ci_step"], "{alert:?}");
            by_step
                .entry(of_theft)
                .or_default()
                .push((rule, alert.text("/level").to_owned()));
        }
    }
    assert_eq!(by_step.get(&false), None, "an honest step");
    let mut raised = by_step.remove(&true).unwrap_or_default();
    raised.sort();
    let raised: Vec<_> = raised
        .iter()
        .map(|(rule, level)| (&**rule, &**level))
        .collect();
    assert_eq!(
        raised,
        [
            ("ci-worker-environment.yml", "high"),
            ("ci-worker-memory.yml", "critical"),
            ("step-process-memory-tools.yml", "high"),
            ("step-process-memory.yml", "high"),
            ("step-runner-credentials.yml", "high"),
        ]
    );
    daemon.stop();
}

#[test]
fn a_run_inside_a_step_is_watched_by_the_daemon_and_the_step_stays_whole() {
    need!(require::live(), require::programs(&["setpriv"]));
    let _turn = Turn::shared();
    let scratch = Scratch::for_everyone();
    fs::set_permissions(scratch.out(), Permissions::from_mode(0o755)).unwrap();
    let daemon = daemon(&scratch);
    let control = scratch.out().join("control");
    fs::set_permissions(&control, Permissions::from_mode(0o666)).unwrap();
    let binary = scratch.tmp().join("pkgwarden");
    fs::copy(pkgwarden(), &binary).unwrap();
    fs::set_permissions(&binary, Permissions::from_mode(0o755)).unwrap();
    let report = scratch.tmp().join("report.json");
    let run = format!(
        "/bin/true marked-before\n\
         exec setpriv --reuid=65534 --regid=65534 --clear-groups env PKGWARDEN_CONTROL={} {} run --report {} \
         -- /bin/sh -c '/bin/true marked-below; /bin/true marked-last; exit 7'\n",
        control.display(),
        binary.display(),
        report.display(),
    );
    let step = step(&scratch, "step.sh", &run);
    let worker = worker(&scratch, "forgejo-runner");
    let job = format!("{step}; [ $? = 7 ]");
    Background::start(&scratch, [worker.as_os_str(), "-c".as_ref(), job.as_ref()]).succeeds();
    let before = marked(&daemon, &scratch, "marked-before");
    for word in ["marked-below", "marked-last"] {
        let alert = marked(&daemon, &scratch, word);
        assert_eq!(scope(&alert), ["ci_step"]);
        assert_eq!(session(&alert), session(&before));
    }
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["processes"], 3, "{report:#}");
    assert_eq!(report["completeness"]["complete"], true, "{report:#}");
    daemon.stop();
}
