//! The five seed tests' shapes, as captures made by hand.

use super::play;
use crate::event::stage::Stage;
use crate::event::{Body, Manifest, Operations};

const APP: &str = "/home/dev/app";

fn ended(mut stage: Stage) -> Stage {
    let root = stage.root;
    stage.exit(root);
    stage.push(Body::CommandEnded { root, status: 0 });
    stage.push(Body::End);
    stage
}

/// pip → python → sh → whoami
fn pip_setup_runs_a_shell() -> Stage {
    let mut stage = Stage::new("pip install ./evil-1.0.tar.gz");
    let pip = stage.root;
    let args = ["python", "/usr/bin/pip", "install", "./evil-1.0.tar.gz"];
    stage.exec(pip, "/usr/bin/python3.11", &args, APP, &[]);
    let build = "/tmp/pip-req-build-0abc";
    let args = ["python", "/v/pip/_in_process.py", "build_wheel", "/tmp/t"];
    let hook = stage.spawn(pip, "/usr/bin/python3.11", &args, build, &[]);
    stage.push(Body::Metadata {
        about: hook,
        manifest: Manifest {
            directory: build.into(),
            file: "PKG-INFO".into(),
            name: Some("evil".into()),
            version: Some("1.0".into()),
            fetched: None,
        },
    });
    let shell = stage.spawn(hook, "/usr/bin/dash", &["sh", "-c", "whoami"], build, &[]);
    stage.exec(shell, "/usr/bin/whoami", &["whoami"], build, &[]);
    ended(stage)
}

/// node → sh -c "id > /tmp/x"
fn npm_postinstall_runs_a_shell() -> Stage {
    let mut stage = Stage::new("npm ci");
    let npm = stage.root;
    stage.exec(
        npm,
        "/usr/bin/node",
        &["node", "/usr/bin/npm", "ci"],
        APP,
        &[],
    );
    let folder = "/home/dev/app/node_modules/evil";
    let shell = stage.spawn(
        npm,
        "/usr/bin/dash",
        &["sh", "-c", "id > /tmp/x"],
        folder,
        &[
            "npm_lifecycle_event=postinstall",
            "npm_lifecycle_script=id > /tmp/x",
            "npm_package_name=evil",
            "npm_package_version=1.2.3",
        ],
    );
    stage.spawn(shell, "/usr/bin/id", &["id"], folder, &[]);
    ended(stage)
}

fn python_calls_out(ip: &str, errno: i32) -> Stage {
    let mut stage = Stage::new("python app.py");
    let python = stage.root;
    stage.exec(
        python,
        "/usr/bin/python3.11",
        &["python", "app.py"],
        APP,
        &[],
    );
    stage.connect(python, ip, 4444, errno);
    ended(stage)
}

fn library_writes_a_start_up_file() -> Stage {
    let mut stage = Stage::new("python app.py");
    let python = stage.root;
    stage.exec(
        python,
        "/usr/bin/python3.11",
        &["python", "app.py"],
        APP,
        &[],
    );
    let actor = stage.actor(python);
    let path = "/v/lib/python3.11/site-packages/evil/__init__.py".into();
    stage.push(Body::Module { actor, path });
    let unit = "/home/dev/.config/systemd/user/x.service";
    stage.open(python, unit, Operations::WRITE | Operations::CREATE, 0);
    ended(stage)
}

fn library_opens_browser_stores() -> Stage {
    let mut stage = Stage::new("python app.py");
    let python = stage.root;
    stage.exec(
        python,
        "/usr/bin/python3.11",
        &["python", "app.py"],
        APP,
        &[],
    );
    let profile = "/home/dev/.config/google-chrome/Default";
    stage.open(
        python,
        &format!("{profile}/Login Data"),
        Operations::READ,
        2,
    );
    stage.open(python, &format!("{profile}/Cookies"), Operations::READ, 0);
    ended(stage)
}

#[test]
fn pip_setup_that_runs_a_shell() {
    let outcome = play(&pip_setup_runs_a_shell());
    assert_eq!(outcome.alerts.len(), 1);
    assert!(outcome.health.is_empty());
    insta::assert_json_snapshot!("pip_alert", outcome.alerts[0]);
    insta::assert_json_snapshot!("pip_report", outcome.report);
}

#[test]
fn npm_postinstall_that_runs_a_shell() {
    let outcome = play(&npm_postinstall_runs_a_shell());
    assert_eq!(outcome.alerts.len(), 1);
    insta::assert_json_snapshot!("npm_alert", outcome.alerts[0]);
    insta::assert_json_snapshot!("npm_report", outcome.report);
}

#[test]
fn a_callback_to_a_public_address() {
    let outcome = play(&python_calls_out("9.9.9.9", 110));
    assert_eq!(outcome.alerts.len(), 1);
    insta::assert_json_snapshot!("callback_alert", outcome.alerts[0]);
    insta::assert_json_snapshot!("callback_connections", outcome.report.connections);
}

#[test]
fn a_callback_to_loopback_is_on_the_report_only() {
    let outcome = play(&python_calls_out("127.0.0.1", 111));
    assert!(outcome.alerts.is_empty());
    insta::assert_json_snapshot!("loopback_connections", outcome.report.connections);
}

#[test]
fn a_start_up_file_written_by_a_library() {
    let outcome = play(&library_writes_a_start_up_file());
    assert_eq!(outcome.alerts.len(), 1);
    insta::assert_json_snapshot!("startup_alert", outcome.alerts[0]);
}

#[test]
fn browser_stores_opened_by_a_library() {
    let outcome = play(&library_opens_browser_stores());
    // A missing file counts.
    let outcomes: Vec<_> = outcome
        .alerts
        .iter()
        .map(|alert| alert.file.as_ref().unwrap().outcome.as_str())
        .collect();
    assert_eq!(outcomes, ["ENOENT", "success"]);
    insta::assert_json_snapshot!("browser_alert", outcome.alerts[0]);
}

#[test]
fn a_replay_gives_the_same_bytes() {
    use crate::alert::escape::json;
    for stage in [
        pip_setup_runs_a_shell(),
        npm_postinstall_runs_a_shell(),
        python_calls_out("9.9.9.9", 0),
        library_opens_browser_stores(),
    ] {
        let mut file = crate::event::capture::Writer::new(Vec::new()).unwrap();
        for event in &stage.events {
            file.write(event).unwrap();
        }
        let bytes = file.into_inner();
        let mut again = Stage::new("");
        again.events = crate::event::capture::Reader::new(&bytes[..])
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(again.events, stage.events);
        let (first, second) = (play(&stage), play(&again));
        let lines = |outcome: &super::Outcome| -> Vec<String> {
            let alerts = outcome.alerts.iter().map(json);
            alerts.chain([json(&outcome.report)]).collect()
        };
        assert_eq!(lines(&first), lines(&second));
        assert!(!first.alerts.is_empty());
    }
}

/// With the rules that are shipped, at default settings.
#[test]
fn the_shipped_rules_raise_what_the_seed_tests_ask_for() {
    use crate::core::{Core, Settings, Trust};
    use crate::detect::{Branch, Level, RuleSet, Sources};

    let worst = |stage: &Stage, branch: Branch| -> Option<Level> {
        let rules = RuleSet::load(&Sources {
            shipped: true,
            ..Sources::default()
        });
        let mut core = Core::new(Settings {
            rules: rules.expect("the shipped rules are right"),
            trust: Trust::default(),
        });
        let findings = stage.events.iter().flat_map(|event| core.handle(event));
        findings
            .filter_map(|finding| match finding {
                crate::core::Finding::Alert(alert) => Some(alert),
                _ => None,
            })
            .filter(|alert| alert.detection_branch == branch)
            .map(|alert| alert.level)
            .max()
    };
    let spawned = Branch::PackageInstallSpawnedSuspiciousProcess;
    assert!(worst(&pip_setup_runs_a_shell(), spawned) >= Some(Level::Medium));
    assert!(worst(&npm_postinstall_runs_a_shell(), spawned) >= Some(Level::Medium));
    let callback = Branch::MaliciousLibraryC2Callback;
    assert!(worst(&python_calls_out("9.9.9.9", 0), callback) >= Some(Level::High));
    assert_eq!(worst(&python_calls_out("127.0.0.1", 111), callback), None);
    let dropped = Branch::PackageInstallerDroppedExecutable;
    assert!(worst(&library_writes_a_start_up_file(), dropped) >= Some(Level::High));
    let store = Branch::CredentialStoreAccess;
    assert!(worst(&library_opens_browser_stores(), store) >= Some(Level::High));
}
