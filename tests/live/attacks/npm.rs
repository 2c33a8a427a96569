//! Packages of npm.

use super::stage::{Stage, possible};
use super::{Attack, act, partly, unseen};
use tests::{Turn, need};

/// Installs the packages of these replicas; the first is the one that is asked for.
pub(super) fn install(stage: &Stage, attack: &Attack, replicas: &[&str]) {
    let archives = stage.npm(replicas);
    let mut line = vec!["npm", "install", "--offline"];
    line.extend(archives.iter().map(String::as_str));
    attack.check(&stage.watch(&line, &[]));
}

pub(super) const S1NGULARITY: Attack = Attack {
    title: "nx s1ngularity (2025-08)",
    how: "hijacked packages of npm; postinstall `node telemetry.js`",
    replica: "s1ngularity",
    package: Some("npm/nx-replica"),
    version: "21.5.0",
    lifecycles: &["postinstall"],
    managers: &[],
    acts: &[
        act(
            "starts AI clients that may do anything, to search home",
            &[
                ("script-ai-agent", "high"),
                ("script-asks-ai-agent", "medium"),
            ],
        ),
        partly(
            "writes /tmp/inventory.txt and reads what it lists",
            &[("crypto-wallet", "high")],
            "the list: a file that is not executable may be written to /tmp",
        ),
        act(
            "`gh auth token`, `npm whoami`",
            &[
                ("script-credential-cli", "high"),
                ("script-recon-system", "informational"),
            ],
        ),
        act("reads ~/.npmrc", &[("script-registry-token", "high")]),
        act(
            "appends a shutdown to ~/.bashrc and ~/.zshrc",
            &[("shell-startup-file", "high")],
        ),
        partly(
            "puts the loot into a public repository at the forge",
            &[("dns-query-by-script", "informational")],
            "the connection: its host is on the list of package hosts",
        ),
    ],
};

#[test]
fn s1ngularity() {
    need!(possible());
    let _turn = Turn::shared();
    install(&Stage::new(), &S1NGULARITY, &["s1ngularity"]);
}

pub(super) const AXIOS: Attack = Attack {
    title: "axios via plain-crypto-js (2026-03)",
    how: "a dependency that was added to a hijacked package of npm; its postinstall `node setup.js`",
    replica: "plain-crypto",
    package: Some("npm/plain-crypto-replica"),
    version: "4.2.1",
    lifecycles: &["postinstall"],
    managers: &[],
    acts: &[
        act(
            "node → sh → `curl -o /tmp/ld.py http://…:8000/…`",
            &[
                ("dns-query-by-script", "informational"),
                ("script-downloader", "medium"),
                ("public-address-odd-port", "high"),
            ],
        ),
        act(
            "`nohup python3 /tmp/ld.py … &`",
            &[
                ("script-detaches", "medium"),
                ("script-runs-code-from-temp", "medium"),
                ("download-then-run", "high"),
            ],
        ),
        act(
            "which reports to port 8000 and asks for orders",
            &[("public-address-odd-port", "high")],
        ),
        act(
            "erases itself: unlinks setup.js and its manifest, renames a clean one into place",
            &[
                ("script-unlinks-itself", "medium"),
                ("script-replaces-its-manifest", "medium"),
            ],
        ),
    ],
};

#[test]
fn a_dependency_of_axios() {
    need!(possible());
    let _turn = Turn::shared();
    install(&Stage::new(), &AXIOS, &["axios", "plain-crypto"]);
}

pub(super) const UA_PARSER: Attack = Attack {
    title: "ua-parser-js, a miner (2021-10)",
    how: "hijacked package of npm; preinstall `node preinstall.js`, which runs a shell script",
    replica: "ua-parser-js",
    package: Some("npm/ua-parser-replica"),
    version: "0.7.29",
    lifecycles: &["preinstall"],
    managers: &[],
    acts: &[
        act(
            "asks by curl in which country it is",
            &[
                ("dns-query-by-script", "informational"),
                ("script-downloader", "medium"),
                ("script-egress", "low"),
            ],
        ),
        act(
            "curl of a program from a bare address into its own package",
            &[("script-unresolved-address", "medium")],
        ),
        act("chmod +x", &[("script-makes-executable", "informational")]),
        act(
            "runs it, with a pool on its command line",
            &[
                ("script-runs-packaged-program", "informational"),
                ("coin-miner", "high"),
                ("download-then-run", "high"),
            ],
        ),
    ],
};

#[test]
fn ua_parser_js() {
    need!(possible());
    let _turn = Turn::shared();
    install(&Stage::new(), &UA_PARSER, &["ua-parser-js"]);
}

pub(super) const BEAVERTAIL: Attack = Attack {
    title: "BeaverTail and InvisibleFerret",
    how: "packages of npm that are handed to developers; at import",
    replica: "beavertail",
    package: Some("npm/chai-chain-replica"),
    version: "2.1.4",
    lifecycles: &["import"],
    managers: &[],
    acts: &[
        act(
            "reads the browser's Login Data, wallet extensions, ~/.config/solana/id.json, the keyring",
            &[
                ("chromium-store", "high"),
                ("crypto-wallet", "high"),
                ("keyring", "high"),
            ],
        ),
        act(
            "node sends it to a bare address, port 1224",
            &[
                ("implant-port", "high"),
                ("public-address-odd-port", "high"),
                ("runtime-unresolved-address", "low"),
                ("credential-read-then-egress", "critical"),
            ],
        ),
        unseen(
            "fetches ~/.npl and has `python3 ~/.npl` run it",
            "at import a file in home may be written and run; its port and what it does next are found",
        ),
        act(
            "which connects to port 1244 and reads the browser's store again",
            &[
                ("implant-port", "high"),
                ("public-address-odd-port", "high"),
                ("chromium-store", "high"),
            ],
        ),
        unseen(
            "sets a password for AnyDesk in ~/.anydesk",
            "no rule: the file is AnyDesk's own settings",
        ),
    ],
};

#[test]
fn beavertail() {
    need!(possible());
    let _turn = Turn::shared();
    let stage = Stage::new();
    let archives = stage.npm(&["beavertail"]);
    stage.write("main.js", "require('chai-chain-replica');\n");
    let line = format!("npm install --offline {} && node main.js", archives[0]);
    BEAVERTAIL.check(&stage.watch(&["sh", "-c", &line], &[]));
}
