//! Packages of pip, and a step of a CI job.

use super::stage::{Stage, possible};
use super::{Attack, act, partly, unseen};
use tests::{Turn, need};

/// Installs the replica's package, then runs a program of the user's.
fn install(attack: &Attack, then: &str) {
    let _turn = Turn::shared();
    let stage = Stage::new();
    let archive = stage.pip(attack.replica);
    stage.write("app.py", then);
    let mut line = format!(".venv/bin/pip install --no-build-isolation {archive}");
    if !then.is_empty() {
        line.push_str(" && .venv/bin/python app.py");
    }
    attack.check(&stage.watch(&["sh", "-c", &line], &[]));
}

pub(super) const LITELLM: Attack = Attack {
    title: "LiteLLM 1.82.8 (2026-03)",
    how: "hijacked wheel with a `.pth` file, which every later python runs",
    replica: "litellm",
    package: Some("pypi/litellm-replica"),
    version: "1.82.8",
    lifecycles: &["import"],
    managers: &[
        "python-startup-hook-in-wheel",
        "python-startup-hook-with-code",
    ],
    acts: &[
        act(
            "pip writes a .pth file with code in it into site-packages",
            &[
                ("python-startup-hook-in-wheel", "medium"),
                ("python-startup-hook-with-code", "high"),
            ],
        ),
        act(
            "the next python runs `exec(base64.b64decode(…` in a child",
            &[("encoded-payload", "high")],
        ),
        act(
            "reads keys and tokens: ssh, cloud, cluster, history",
            &[
                ("ssh-key", "high"),
                ("runtime-service-credentials", "low"),
                ("runtime-shell-history", "medium"),
                ("runtime-cluster-token", "low"),
            ],
        ),
        act(
            "tar, then `curl -X POST … --data-binary @tpcp.tar.gz`",
            &[
                ("runtime-downloader", "low"),
                ("runtime-sends-file", "medium"),
                ("runtime-secrets-then-upload", "high"),
                ("credential-read-then-egress", "critical"),
            ],
        ),
        partly(
            "writes ~/.config/sysmon/sysmon.py and a systemd unit of the user",
            &[("systemd-unit", "high")],
            "sysmon.py itself: a file in a hidden folder that is not executable",
        ),
        act(
            "`systemctl --user enable`",
            &[
                ("runtime-scheduler-or-service", "medium"),
                ("persistence-then-enable", "critical"),
            ],
        ),
    ],
};

#[test]
fn litellm() {
    need!(possible());
    install(&LITELLM, "print('a program that does not import it')\n");
}

pub(super) const TELNYX: Attack = Attack {
    title: "telnyx (2026-03)",
    how: "hijacked wheel; at import",
    replica: "telnyx",
    package: Some("pypi/telnyx-replica"),
    version: "4.87.1",
    lifecycles: &["import"],
    managers: &[],
    acts: &[
        act(
            "fetches a sound from a bare address, port 8080",
            &[("runtime-unresolved-address", "low")],
        ),
        act(
            "runs the program that is hidden in it by `python -`",
            &[("runtime-feeds-interpreter", "low")],
        ),
        act(
            "which reads ~/.aws/credentials and sends an archive by curl",
            &[
                ("runtime-service-credentials", "low"),
                ("runtime-downloader", "low"),
                ("runtime-sends-file", "medium"),
                ("runtime-unresolved-address", "low"),
                ("runtime-secrets-then-upload", "high"),
            ],
        ),
    ],
};

#[test]
fn telnyx() {
    need!(possible());
    install(&TELNYX, "import telnyx_replica\n");
}

pub(super) const ULTRALYTICS: Attack = Attack {
    title: "ultralytics, a miner (2024-12)",
    how: "hijacked wheel; at import",
    replica: "ultralytics",
    package: Some("pypi/ultralytics-replica"),
    version: "8.3.41",
    lifecycles: &["import"],
    managers: &[],
    acts: &[
        unseen(
            "python fetches a program as a release file of a forge",
            "its host is on the list of package hosts",
        ),
        act(
            "runs it from /tmp, with a pool on its command line",
            &[
                ("runtime-drops-executable", "low"),
                ("runtime-exec-from-temp", "medium"),
                ("coin-miner", "high"),
            ],
        ),
        unseen(
            "removes it again",
            "done by the library itself, with no program started",
        ),
    ],
};

#[test]
fn ultralytics() {
    need!(possible());
    install(&ULTRALYTICS, "import ultralytics_replica\n");
}

pub(super) const TORCHTRITON: Attack = Attack {
    title: "torchtriton (2022-12)",
    how: "dependency confusion, a wheel with a program in it; at import",
    replica: "torchtriton",
    package: Some("pypi/torchtriton-replica"),
    version: "2.0.0",
    lifecycles: &["import"],
    managers: &[],
    acts: &[
        unseen(
            "runs the program",
            "libraries may run what their own wheel brought",
        ),
        partly(
            "which reads /etc/hosts, /etc/passwd, ~/.gitconfig, ~/.ssh/* and the files of home",
            &[
                ("ssh-key", "high"),
                ("runtime-service-credentials", "low"),
                ("runtime-shell-history", "medium"),
            ],
            "/etc/hosts, /etc/passwd, ~/.gitconfig: everybody reads them",
        ),
        act(
            "sends all of it in questions for names, to a server of its own choice",
            &[
                ("runtime-dns-channel", "low"),
                ("runtime-unresolved-address", "low"),
                ("runtime-secrets-then-upload", "high"),
                ("credential-read-then-egress", "critical"),
            ],
        ),
    ],
};

#[test]
fn torchtriton() {
    need!(possible());
    install(&TORCHTRITON, "import torchtriton_replica\n");
}

pub(super) const TYPOSQUATS: Attack = Attack {
    title: "Typosquats, many",
    how: "source distributions; `setup.py`",
    replica: "typosquat",
    package: Some("pypi/requesst-replica"),
    version: "2.31.1",
    // pip asks for the metadata, then for the wheel: the code runs each time.
    lifecycles: &[
        "setup.py",
        "egg_info",
        "bdist_wheel",
        "prepare_metadata_for_build_wheel",
        "build_wheel",
        "get_requires_for_build_wheel",
    ],
    managers: &[],
    acts: &[
        act(
            "a shell for a stranger: `bash -i >& /dev/tcp/…/4444`",
            &[
                ("reverse-shell", "high"),
                ("shell-connects", "high"),
                ("public-address-odd-port", "high"),
                ("script-unresolved-address", "medium"),
            ],
        ),
        act(
            "base64 to /dev/shm, chmod +x, run",
            &[
                ("script-shell-writes-to-temp", "medium"),
                ("executable-in-shared-memory", "high"),
                ("script-drops-executable-in-temp", "medium"),
                ("script-makes-executable", "informational"),
                ("script-runs-code-from-temp", "medium"),
                ("exec-from-memory", "high"),
                ("script-decodes", "informational"),
            ],
        ),
        act(
            "`curl … | sh`",
            &[
                ("script-feeds-interpreter", "medium"),
                ("fed-with-what-was-fetched", "high"),
                ("script-downloader", "medium"),
                ("download-piped-to-interpreter", "high"),
                ("dns-query-by-script", "informational"),
                ("script-egress", "low"),
            ],
        ),
        act(
            "webhooks of Discord and Telegram",
            &[
                ("script-looks-up-drop-service", "high"),
                ("script-drop-service", "high"),
            ],
        ),
        act(
            "the code runs twice, so a run follows a download",
            &[("download-then-run", "high")],
        ),
    ],
};

#[test]
fn typosquats() {
    need!(possible());
    install(&TYPOSQUATS, "");
}

pub(super) const WORKER_MEMORY: Attack = Attack {
    title: "Trivy action, tj-actions (2025–26)",
    how: "hijacked actions: a step of a CI job, no package",
    replica: "runner-memory",
    package: None,
    version: "",
    lifecycles: &[],
    managers: &[],
    acts: &[
        unseen(
            "`pgrep -f Runner.Worker` by the step's shell",
            "honest steps look for processes too",
        ),
        act(
            "base64 piped to `sudo python3`, which reads /proc/PID/mem of the worker",
            &[
                ("process-memory", "high"),
                ("ci-worker-memory", "critical"),
                ("step-process-memory-tools", "high"),
            ],
        ),
        unseen(
            "prints it to the log in base64 twice, and posts it by curl",
            "every step prints, and many send",
        ),
    ],
};

#[test]
fn memory_of_the_ci_worker() {
    need!(possible());
    let _turn = Turn::shared();
    let stage = Stage::new();
    let action = stage.put(WORKER_MEMORY.replica);
    let step = format!("{action}/entrypoint.sh");
    let job = [
        ("ACTION", action.as_str()),
        ("GITHUB_RUN_ID", "1"),
        ("GITHUB_REPOSITORY", "x/y"),
        ("GITHUB_JOB", "build"),
    ];
    let steps = format!("bash {step}; :");
    let seen = stage.watch(&[&stage.worker(), "-c", &steps], &job);
    for alert in &seen.alerts {
        assert_eq!(alert.text("/ci/job"), "build", "{alert:?}");
        let scope = alert.at("/scope").as_array().unwrap();
        assert!(scope.contains(&"ci_step".into()), "{alert:?}");
    }
    WORKER_MEMORY.check(&seen);
}
