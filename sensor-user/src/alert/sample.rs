//! Alerts for tests, one a branch.

use std::collections::BTreeMap;

use serde_json::Value;

use super::report::{AlertsBy, Connection, DecidedBy, Exit, PackageRun, Registry, Report};
use super::schema::*;
use crate::detect::{Branch, Confidence, Level, Matched};
use crate::health::{Code, Health};

pub(crate) const EVENTS: [EventWord; 15] = [
    EventWord::Exec,
    EventWord::Connect,
    EventWord::Send,
    EventWord::Listen,
    EventWord::Socket,
    EventWord::Open,
    EventWord::Create,
    EventWord::Write,
    EventWord::Rename,
    EventWord::Link,
    EventWord::Symlink,
    EventWord::Unlink,
    EventWord::Chmod,
    EventWord::Dns,
    EventWord::IoUring,
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn host() -> Host {
    Host {
        name: "ci-7".into(),
        id: "9f1c6f6d2b8e4a0fb1a3c5d7e9f01234".into(),
        boot_id: "0b0e7c1a-5d0c-4d0e-8f0a-3c2b1a0d9e8f".into(),
    }
}

fn ancestor(pid: u32, executable: &str, args: &[&str]) -> ProcessShort {
    ProcessShort {
        pid,
        entity_id: format!("e{pid}"),
        executable: executable.into(),
        args: words(args),
        ..ProcessShort::default()
    }
}

fn completeness() -> Completeness {
    Completeness {
        generated: 812,
        delivered: 412,
        filtered: 400,
        hooks: words(&[
            "exec: btf_tracepoint sched_process_exec",
            "connect: cgroup connect4, connect6",
            "open: exit tracepoints",
        ]),
        complete: true,
        ..Completeness::default()
    }
}

/// npm's postinstall of a package runs `id > /tmp/x` through sh.
pub(crate) fn postinstall() -> Alert {
    let user = User {
        name: Some("runner".into()),
        id: 1001,
    };
    let mut alert = Alert {
        schema: "pkgwarden.alert/1".into(),
        id: "c2b1f0d4-1f7e-5c3a-9a53-5f1f8f0a6b11".into(),
        time: "2026-01-02T03:04:05.678901234Z".into(),
        host: host(),
        sensor: Sensor {
            version: "0.1.0".into(),
            rules_sha256: "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef".into(),
        },
        detection_branch: Branch::PackageInstallSpawnedSuspiciousProcess,
        level: Level::Medium,
        level_reasons: words(&["a package's own script ran it"]),
        confidence: Confidence::High,
        confidence_reasons: Vec::new(),
        title: "Package script runs reconnaissance through a shell".into(),
        summary: String::new(),
        rule: RuleReference {
            id: "0d9d4d1c-8c7e-4d1e-9a5c-1f0a2b3c4d5e".into(),
            title: "Package script runs reconnaissance through a shell".into(),
            level: Level::Medium,
            file: "spawn/shell_recon.yml".into(),
            tags: words(&["attack.t1204.005", "attack.t1033"]),
            references: words(&["https://attack.mitre.org/techniques/T1204/005/"]),
        },
        evidence: Evidence {
            event: EventWord::Exec,
            fields: BTreeMap::from([
                ("Image".into(), "/usr/bin/dash".into()),
                ("CommandLine".into(), "sh -c id > /tmp/x".into()),
                ("Scope".into(), "install".into()),
            ]),
            matched: vec![Matched {
                selection: "recon".into(),
                field: "CommandLine".into(),
                value: "sh -c id > /tmp/x".into(),
            }],
            observed: ObservedWord::Kernel,
            suppressed_by: None,
        },
        links: vec![],
        process: Process {
            pid: 4242,
            entity_id: "e4242".into(),
            start: "2026-01-02T03:04:05.670000000Z".into(),
            executable: "/usr/bin/dash".into(),
            args: words(&["sh", "-c", "id > /tmp/x"]),
            working_directory: "/home/runner/app/node_modules/left-pad".into(),
            user: user.clone(),
            ..Process::default()
        },
        ancestry: vec![
            ancestor(4200, "/usr/bin/node", &["npm install"]),
            ancestor(4100, "/usr/bin/bash", &["bash", "-e", "step.sh"]),
        ],
        scope: vec![Scope::Install, Scope::CiStep],
        install: Some(Install {
            id: "e4200".into(),
            installer: "npm".into(),
            command: "npm install".into(),
            working_directory: "/home/runner/app".into(),
            started: "2026-01-02T03:04:01.000000000Z".into(),
            user,
        }),
        package: Some(Package {
            kind: "npm".into(),
            name: "left-pad".into(),
            version: Some("1.3.0".into()),
            purl: "pkg:npm/left-pad@1.3.0".into(),
            path: Some("/home/runner/app/node_modules/left-pad".into()),
            lifecycle: Some("postinstall".into()),
            script: Some("id > /tmp/x".into()),
            checksum: None,
            source: PackageSource::Path,
            confidence: Confidence::High,
            claimed_name: None,
            registry: None,
            registry_source: None,
            resembles: None,
        }),
        destination: None,
        network: None,
        file: None,
        ci: Some(Ci {
            system: "github".into(),
            repository: Some("octo/app".into()),
            workflow: Some("build".into()),
            job: Some("test".into()),
            run_id: Some("1234567890".into()),
            run_attempt: Some("1".into()),
            ..Ci::default()
        }),
        container: None,
        completeness: completeness(),
        response: words(&[
            "Stop the job and do not publish what it built.",
            "Read the package's postinstall script in the path above.",
            "Remove the package, and rotate every secret the job could read.",
        ]),
        row: Row::default(),
    };
    finish(&mut alert);
    alert
}

/// Library code at run time calls out to a public address.
pub(crate) fn callback() -> Alert {
    let mut alert = postinstall();
    alert.detection_branch = Branch::MaliciousLibraryC2Callback;
    alert.level = Level::High;
    alert.confidence = Confidence::Medium;
    alert.title = "Library connects to an unusual public port".into();
    alert.rule.title.clone_from(&alert.title);
    alert.evidence.event = EventWord::Connect;
    alert.evidence.fields = BTreeMap::from([("DestinationPort".into(), "4444".into())]);
    alert.evidence.matched.clear();
    alert.process.executable = "/usr/bin/python3.11".into();
    alert.process.args = words(&["python3", "app.py"]);
    alert.ancestry.remove(0);
    alert.scope = vec![Scope::Runtime];
    alert.install = None;
    alert.package = None;
    alert.ci = None;
    alert.destination = Some(Destination {
        ip: Some("203.0.113.7".into()),
        port: Some(4444),
        path: None,
        domain: Some("c2.example".into()),
        domain_source: Some("dns".into()),
        resolved: "yes".into(),
        class: "public".into(),
        outcome: Outcome::Attempted,
    });
    alert.network = Some(Network {
        transport: "tcp".into(),
    });
    finish(&mut alert);
    alert
}

/// A typosquat tries the browser's password store, which is not there; in a container.
pub(crate) fn credential() -> Alert {
    let mut alert = callback();
    alert.detection_branch = Branch::CredentialStoreAccess;
    alert.confidence = Confidence::High;
    alert.title = "Package reads a browser's stored passwords".into();
    alert.rule.title.clone_from(&alert.title);
    alert.evidence.event = EventWord::Open;
    alert.evidence.observed = ObservedWord::Argument;
    alert.scope = vec![Scope::Install];
    alert.destination = None;
    alert.network = None;
    alert.install = postinstall().install.map(|install| Install {
        installer: "pip".into(),
        command: "/usr/bin/python3 /usr/bin/pip install ./reqeusts".into(),
        ..install
    });
    alert.package = Some(Package {
        kind: "pypi".into(),
        name: "reqeusts".into(),
        version: Some("2.0.1".into()),
        purl: "pkg:pypi/reqeusts@2.0.1".into(),
        lifecycle: Some("setup.py".into()),
        ..Package::default()
    });
    alert.file = Some(File {
        path: "/home/u/.config/google-chrome/Default/Login Data".into(),
        operation: "read".into(),
        outcome: "ENOENT".into(),
        ..File::default()
    });
    alert.container = Some(Container {
        id: "4f2d".repeat(16),
        runtime: "podman".into(),
        ..Container::default()
    });
    finish(&mut alert);
    alert
}

fn finish(alert: &mut Alert) {
    alert.summary = super::summary::sentence(alert);
    alert.row = super::row::row(alert);
}

pub(crate) fn health() -> Health {
    Health::new(
        host(),
        "2026-01-02T03:04:06.000000000Z".into(),
        Code::EventsLost,
        "the detail ring was full; 12 of 812 events of this session were lost".into(),
        Some("2026-01-02T03:04:05.000000000Z".into()),
    )
}

/// An alert with every part, and every free text of it the same hostile one.
pub(crate) fn everything_is(text: &str) -> Alert {
    let mut alert = credential();
    alert.destination = callback().destination;
    alert.network = callback().network;
    alert.ci = postinstall().ci;
    alert.links = vec![Link {
        alert_id: String::new(),
        time: String::new(),
        summary: String::new(),
    }];
    let mut value = serde_json::to_value(alert).unwrap();
    replace(&mut value, text);
    let mut alert: Alert = serde_json::from_value(value).unwrap();
    alert.evidence.fields = BTreeMap::from([(text.into(), text.into())]);
    alert
}

fn replace(value: &mut Value, text: &str) {
    const WORDS: &[&str] = &[
        "detection_branch",
        "level",
        "confidence",
        "event",
        "observed",
        "scope",
        "source",
    ];
    match value {
        Value::String(old) => *old = text.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, text)),
        Value::Object(map) => {
            let is_destination = map.contains_key("resolved");
            for (key, item) in map.iter_mut() {
                let is_word = WORDS.contains(&key.as_str()) || (is_destination && key == "outcome");
                if !is_word {
                    replace(item, text);
                }
            }
        }
        _ => {}
    }
}

pub(crate) fn incomplete() -> Completeness {
    Completeness {
        lost: 12,
        delivered: 400,
        degraded: words(&["The detail ring was full for 3 ms."]),
        complete: false,
        ..completeness()
    }
}

/// Of an `npm install` with two alerts and one that was suppressed.
pub(crate) fn report() -> Report {
    let alert = postinstall();
    let package = alert.package.unwrap();
    Report {
        schema: "pkgwarden.session/1".into(),
        command: words(&["npm", "ci", "--foreground-scripts"]),
        exit: Some(Exit {
            status: Some(86),
            signal: None,
            decided_by: DecidedBy::Findings,
        }),
        ci: None,
        installs: alert.install.into_iter().collect(),
        packages: vec![PackageRun {
            lifecycle: package.lifecycle.clone(),
            package,
            approved: Some(false),
        }],
        registries: vec![Registry {
            host: "packages.corp.example".into(),
            port: Some(4873),
            source: "npmrc /home/runner/app/.npmrc".into(),
        }],
        alerts_by: AlertsBy {
            level: BTreeMap::from([("medium".into(), 1), ("high".into(), 1), ("low".into(), 1)]),
            branch: BTreeMap::from([
                ("PackageInstallSpawnedSuspiciousProcess".into(), 1),
                ("MaliciousLibraryC2Callback".into(), 1),
                ("CredentialStoreAccess".into(), 1),
            ]),
        },
        processes: 17,
        connections: vec![Connection {
            ip: Some("203.0.113.7".into()),
            path: None,
            domain: Some("c2.example".into()),
            port: Some(4444),
            transport: "tcp".into(),
            class: "public".into(),
            outcome: Outcome::Refused,
            count: 2,
        }],
        files_outside_project: words(&["/home/runner/.config/autostart/x.desktop"]),
        alerts: vec![alert.id],
        repeats: BTreeMap::new(),
        suppressed: BTreeMap::from([("node-gyp".into(), 3)]),
        still_running: vec![ancestor(4300, "/usr/bin/node", &["node", "daemon.js"])],
        completeness: completeness(),
        started: "2026-01-02T03:04:00.000000000Z".into(),
        ended: "2026-01-02T03:04:20.000000000Z".into(),
    }
}
