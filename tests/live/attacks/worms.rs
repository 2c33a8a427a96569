//! Shai-Hulud and its kin: packages of npm that spread by the tokens they find.

use super::npm::install;
use super::stage::{Stage, possible};
use super::{Attack, act, partly, unseen};
use tests::{Turn, need};

pub(super) const SHAI_HULUD: Attack = Attack {
    title: "Shai-Hulud (2025-09)",
    how: "hijacked packages of npm; postinstall `node bundle.js`",
    replica: "shai-hulud",
    package: Some("npm/tinycolor-replica"),
    version: "4.1.1",
    lifecycles: &["postinstall"],
    managers: &[],
    acts: &[
        act(
            "reads the tokens in ~/.npmrc and ~/.aws/credentials",
            &[
                ("script-registry-token", "high"),
                ("script-cloud-credentials", "high"),
            ],
        ),
        act(
            "asks the cloud's metadata service for more",
            &[("script-cloud-metadata", "high")],
        ),
        act(
            "`npm whoami`",
            &[
                ("script-credential-cli", "high"),
                ("script-recon-system", "informational"),
            ],
        ),
        act(
            "puts trufflehog into /tmp and searches home with it",
            &[
                ("script-drops-executable-in-temp", "medium"),
                ("script-exec-from-temp", "medium"),
                ("secret-scanner", "high"),
            ],
        ),
        act(
            "writes a workflow into .github/workflows",
            &[("dependency-writes-ci-workflow", "high")],
        ),
        act(
            "writes /tmp/processor.sh and /tmp/migrate-repos.sh, and has bash run them",
            &[
                ("script-drops-executable-in-temp", "medium"),
                ("script-runs-code-from-temp", "medium"),
            ],
        ),
        act(
            "`git push` of that workflow",
            &[("script-git-push", "high")],
        ),
        act(
            "`curl -d … https://webhook.site/…`, port 443",
            &[
                ("dns-query-by-script", "informational"),
                ("script-looks-up-drop-service", "high"),
                ("script-names-drop-service", "high"),
                ("script-drop-service", "high"),
                ("script-downloader", "medium"),
                ("script-egress", "low"),
            ],
        ),
        act(
            "secrets were read, then something was sent",
            &[("credential-read-then-egress", "critical")],
        ),
    ],
};

#[test]
fn shai_hulud() {
    need!(possible());
    let _turn = Turn::shared();
    install(&Stage::new(), &SHAI_HULUD, &["shai-hulud"]);
}

pub(super) const SHAI_HULUD_2: Attack = Attack {
    title: "Shai-Hulud 2 (2025-11)",
    how: "hijacked packages of npm; preinstall `node setup_bun.js`",
    replica: "shai-hulud-2",
    package: Some("npm/posthog-replica"),
    version: "5.11.3",
    lifecycles: &["preinstall"],
    managers: &[],
    acts: &[
        act(
            "`curl -fsSL https://bun.sh/install | bash`",
            &[
                ("download-piped-to-interpreter", "high"),
                ("fed-with-what-was-fetched", "high"),
                ("script-feeds-interpreter", "medium"),
                ("script-downloader", "medium"),
                ("dns-query-by-script", "informational"),
                ("script-egress", "low"),
                ("executable-in-hidden-folder", "medium"),
                ("script-makes-executable", "informational"),
            ],
        ),
        act(
            "`bun bun_environment.js`, in a session of its own",
            &[("script-foreign-runtime", "medium")],
        ),
        act(
            "reads the tokens of npm and of the forge's client",
            &[
                ("script-registry-token", "high"),
                ("script-git-credentials", "high"),
            ],
        ),
        act(
            "`gh auth token`, and trufflehog over home",
            &[
                ("script-credential-cli", "high"),
                ("secret-scanner", "high"),
            ],
        ),
        act(
            "installs a CI runner of its own in ~/.dev-env and starts it with nohup",
            &[
                ("ci-runner-installed", "high"),
                ("script-detaches", "medium"),
                ("script-exec-from-hidden", "medium"),
            ],
        ),
        act(
            "writes a workflow that runs what a discussion says",
            &[("dependency-writes-ci-workflow", "high")],
        ),
        partly(
            "a privileged container writes a sudoers file",
            &[("script-container-client", "medium")],
            "the write itself: the container engine does it, and it is no child of the install",
        ),
        unseen(
            "puts the secrets into a repository at the forge",
            "its host is on the list of package hosts; nothing tells this from a fetch",
        ),
        act(
            "where that fails, overwrites and deletes home: `find … | xargs shred -uvz -n 1`",
            &[
                ("script-destroys-files", "critical"),
                ("script-recon", "medium"),
                // shred opens what it overwrites, and gives it other names.
                ("script-erases-itself", "medium"),
                ("script-rewrites-manager-config", "medium"),
                ("script-drops-executable-in-temp", "medium"),
                ("ci-runner-credentials", "high"),
                ("dependency-renames-ci-workflow", "high"),
                ("script-changes-another-package", "high"),
                ("script-changes-another-project", "medium"),
            ],
        ),
    ],
};

#[test]
fn shai_hulud_2() {
    need!(possible());
    let _turn = Turn::shared();
    // It wipes home, and what lies there is opened once more.
    let stage = Stage::with(&[".npmrc", ".config/gh/hosts.yml", "notes.txt"]);
    install(&stage, &SHAI_HULUD_2, &["shai-hulud-2"]);
}

pub(super) const TOKEN_MONITOR: Attack = Attack {
    title: "Mini Shai-Hulud, gh-token-monitor (2026)",
    how: "hijacked packages of npm; preinstall `node setup.mjs`",
    replica: "gh-token-monitor",
    package: Some("npm/token-monitor-replica"),
    version: "1.2.6",
    lifecycles: &["preinstall"],
    managers: &[],
    acts: &[
        partly(
            "node fetches bun as a release file of a forge",
            &[("dns-query-by-script", "informational")],
            "the connection: its host is on the list of package hosts",
        ),
        act(
            "puts bun into /tmp and runs the second stage with it",
            &[
                ("script-drops-executable-in-temp", "medium"),
                ("script-exec-from-temp", "medium"),
                ("script-foreign-runtime", "medium"),
            ],
        ),
        act(
            "looks for the CI worker and reads its memory",
            &[
                ("script-recon-system", "informational"),
                ("process-memory-tools", "high"),
                ("process-memory", "high"),
            ],
        ),
        act("`gh auth token`", &[("script-credential-cli", "high")]),
        act(
            "writes ~/.local/bin/gh-token-monitor.sh",
            &[("script-installs-command", "high")],
        ),
        act(
            "writes a systemd unit of the user",
            &[("systemd-unit", "high")],
        ),
        act(
            "`systemctl --user daemon-reload`, `enable --now`",
            &[
                ("script-scheduler-or-service", "high"),
                ("persistence-then-enable", "critical"),
            ],
        ),
        act(
            "writes .claude/settings.json and .vscode/tasks.json",
            &[("script-writes-editor-or-agent-config", "medium")],
        ),
        unseen(
            "the unit polls the forge each minute, and wipes home once the token is revoked",
            "systemd starts it; what is no descendant of node, python or a package manager is not watched",
        ),
    ],
};

#[test]
fn gh_token_monitor() {
    need!(possible());
    let _turn = Turn::shared();
    install(&Stage::new(), &TOKEN_MONITOR, &["gh-token-monitor"]);
}
