//! The five tests that the project began with, at default settings.

use std::fs;

use tests::{
    Alert, NetworkNamespace, Scratch, Seen, Turn, Watched, fixture, mounts, need, require,
};

const SPAWNED: &str = "PackageInstallSpawnedSuspiciousProcess";
const CALLBACK: &str = "MaliciousLibraryC2Callback";
const DROPPED: &str = "PackageInstallerDroppedExecutable";
const CREDENTIALS: &str = "CredentialStoreAccess";

/// Whether programs stand in this order, nearest first, possibly with others between.
fn in_order(alert: &Alert, programs: &[&str]) -> bool {
    let lines = alert.command_lines();
    let mut chain = alert
        .executables()
        .into_iter()
        .zip(lines)
        .map(|(executable, line)| format!("{executable} {line}"));
    programs
        .iter()
        .all(|program| chain.any(|process| process.contains(program)))
}

/// What every alert on package code in an install carries.
fn names_the_package(alert: &Alert, kind: &str, name: &str, version: &str, installer: &str) {
    assert_eq!(alert.text("/package/type"), kind, "{alert:?}");
    assert_eq!(alert.text("/package/name"), name, "{alert:?}");
    assert_eq!(alert.text("/package/version"), version, "{alert:?}");
    assert_eq!(
        alert.text("/package/purl"),
        format!("pkg:{kind}/{name}@{version}"),
        "{alert:?}"
    );
    assert_eq!(alert.text("/install/installer"), installer, "{alert:?}");
    let scopes = alert.at("/scope").as_array().unwrap();
    assert!(scopes.iter().any(|scope| scope == "install"), "{alert:?}");
}

/// What every alert on an imported library carries. Names of Python packages are the same under `-`
/// and `_`.
fn names_the_library(alert: &Alert, name: &str, version: &str) {
    assert_eq!(alert.text("/package/type"), "pypi", "{alert:?}");
    assert_eq!(
        alert.text("/package/name").replace('_', "-"),
        name,
        "{alert:?}"
    );
    assert_eq!(alert.text("/package/lifecycle"), "import", "{alert:?}");
    let scopes = alert.at("/scope").as_array().unwrap();
    assert!(scopes.iter().any(|scope| scope == "runtime"), "{alert:?}");
    assert_eq!(
        alert.text("/package/version"),
        version,
        "no version: {alert:?}"
    );
}

#[test]
fn a_setup_py_that_runs_whoami_through_a_shell_is_an_alert() {
    need!(require::live(), require::python_build());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let archive = fixture::sdist(&scratch, "recon-setup-py");
    let pip = fixture::venv_with_pip(&scratch).join("bin/pip");

    let pip = pip.to_str().unwrap();
    let seen = Watched::run(
        &scratch,
        [
            pip,
            "install",
            "--no-index",
            "--no-build-isolation",
            &archive,
        ],
    )
    .finish();

    seen.ended_with(0).complete();
    let alert = seen.alert(SPAWNED, "medium", "on whoami below setup.py", |alert| {
        alert.text("/row/SubjectCmdLine").contains("whoami")
    });
    assert!(
        in_order(alert, &["whoami", "python3", "bin/pip install"]),
        "not whoami under python under pip: {alert:?}"
    );
    assert!(
        alert
            .executables()
            .iter()
            .any(|name| name == "dash" || name == "bash")
            || alert
                .command_lines()
                .iter()
                .any(|line| line.starts_with("sh -c")),
        "the shell is missing from the chain: {alert:?}"
    );
    names_the_package(alert, "pypi", "requestes-fixture", "2.31.7", "pip");
    assert!(
        [
            "setup.py",
            "egg_info",
            "bdist_wheel",
            "install",
            "build_wheel"
        ]
        .contains(&alert.text("/package/lifecycle")),
        "{alert:?}"
    );
}

#[test]
fn a_build_backend_of_the_package_that_runs_whoami_is_an_alert() {
    need!(require::live(), require::python_build());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let tree = fixture::source_tree(&scratch, "recon-backend");
    let pip = fixture::venv_with_pip(&scratch).join("bin/pip");

    let seen = Watched::run(
        &scratch,
        [pip.to_str().unwrap(), "install", "--no-index", &tree],
    )
    .finish();

    seen.ended_with(0).complete();
    // The shell forks here, so whoami is a process of its own, below it.
    let alert = seen.alert(
        SPAWNED,
        "medium",
        "on whoami below a build backend",
        |alert| {
            alert
                .command_lines()
                .iter()
                .any(|line| line.contains("whoami"))
        },
    );
    assert!(
        in_order(
            alert,
            &["sh -c whoami", "_in_process.py", "bin/pip install"]
        ),
        "{alert:?}"
    );
    names_the_package(alert, "pypi", "backend-fixture", "0.9.3", "pip");
    // This backend builds its wheel already when pip asks for the metadata.
    assert!(
        ["prepare_metadata_for_build_wheel", "build_wheel"]
            .contains(&alert.text("/package/lifecycle")),
        "{alert:?}"
    );
}

#[test]
fn a_postinstall_that_runs_id_through_sh_is_an_alert() {
    need!(require::live(), require::programs(&["node", "npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let archive = fixture::npm_archive(&scratch, "recon-postinstall");

    let seen = Watched::run(&scratch, ["npm", "install", &archive, "--offline"]).finish();

    seen.ended_with(0).complete();
    assert!(scratch.tmp().join("who-installed-me").exists(), "{seen:?}");
    let alert = seen.alert(SPAWNED, "medium", "on sh -c id below node", |alert| {
        alert.text("/row/SubjectCmdLine").contains("id")
            && alert
                .command_lines()
                .iter()
                .any(|line| line.contains("sh -c id > \"$TMPDIR/who-installed-me\""))
    });
    assert!(in_order(alert, &["sh -c id >", "node"]), "{alert:?}");
    names_the_package(alert, "npm", "left-padding-fixture", "4.2.1", "npm");
    assert_eq!(alert.text("/package/lifecycle"), "postinstall", "{alert:?}");
    assert!(
        alert.text("/package/script").starts_with("id >"),
        "{alert:?}"
    );
    assert!(
        alert.text("/install/command").contains("npm install"),
        "{alert:?}"
    );
}

/// Imports the library that calls out, with the address it is to call.
fn callback(scratch: &Scratch, enter: &[String], address: &str) -> Seen {
    let venv = fixture::venv_with_libraries(scratch);
    scratch.write("app.py", "import callback_fixture\n");
    let mut line = enter.to_vec();
    line.extend([
        venv.join("bin/python").display().to_string(),
        "app.py".into(),
    ]);
    Watched::run(scratch, line)
        .env("CALLBACK_ADDRESS", address)
        .finish()
}

#[test]
fn a_callback_to_loopback_is_recorded_with_its_outcome_and_raises_nothing() {
    need!(require::live(), require::python_build());
    let _turn = Turn::shared();
    let scratch = Scratch::new();

    let seen = callback(&scratch, &[], "127.0.0.1");

    seen.ended_with(0).complete();
    assert_eq!(seen.of(CALLBACK, "informational").count(), 0, "{seen:?}");
    seen.quiet();
    let connections = seen.connections(4444);
    let [connection] = connections.as_slice() else {
        panic!("not one connection to port 4444\n{seen:?}");
    };
    assert_eq!(connection["ip"], "127.0.0.1");
    assert_eq!(connection["class"], "loopback");
    assert_eq!(connection["outcome"], "refused");
    assert_eq!(connection["count"], 1);
}

#[test]
fn a_callback_to_a_public_address_is_a_high_alert() {
    need!(
        require::live(),
        require::python_build(),
        require::programs(&["ip", "nsenter"])
    );
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let network = NetworkNamespace::with_address("45.33.32.156");

    let seen = callback(&scratch, &network.enter(), "45.33.32.156");

    seen.ended_with(0).complete();
    let alert = seen.alert(CALLBACK, "high", "to 45.33.32.156:4444", |alert| {
        alert.text("/destination/ip") == "45.33.32.156" && *alert.at("/destination/port") == 4444
    });
    assert_eq!(alert.text("/destination/class"), "public", "{alert:?}");
    assert_eq!(alert.text("/network/transport"), "tcp", "{alert:?}");
    assert_eq!(alert.text("/evidence/event"), "connect", "{alert:?}");
    assert!(in_order(alert, &["python3"]), "{alert:?}");
    assert!(
        alert
            .at("/scope")
            .as_array()
            .unwrap()
            .iter()
            .any(|scope| scope == "runtime"),
        "{alert:?}"
    );
    names_the_library(alert, "callback-fixture", "1.4.4");
    let connections = seen.connections(4444);
    assert_eq!(connections.len(), 1, "{seen:?}");
    assert_eq!(connections[0]["outcome"], "refused", "{seen:?}");
}

/// Imports the library that writes a start-up file of one kind.
fn startup(kind: &str, before: &[String], path_ends: &str) {
    need!(require::live(), require::python_build());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let venv = fixture::venv_with_libraries(&scratch);
    scratch.write("app.py", "import startup_fixture\n");
    let mut line = before.to_vec();
    line.extend([
        venv.join("bin/python").display().to_string(),
        "app.py".into(),
    ]);

    let seen = Watched::run(&scratch, line)
        .env("STARTUP_KIND", kind)
        .finish();

    seen.ended_with(0).complete();
    let alert = seen.alert(DROPPED, "high", &format!("on {path_ends}"), |alert| {
        alert.text("/file/path").ends_with(path_ends)
    });
    assert!(
        ["create", "write"].contains(&alert.text("/evidence/event")),
        "{alert:?}"
    );
    assert_eq!(alert.text("/evidence/observed"), "kernel", "{alert:?}");
    assert_eq!(alert.text("/file/outcome"), "success", "{alert:?}");
    names_the_library(alert, "startup-fixture", "3.0.2");
    assert!(in_order(alert, &["python3"]), "{alert:?}");
}

#[test]
fn a_library_that_writes_a_systemd_user_unit_is_a_high_alert() {
    startup(
        "systemd-user-unit",
        &[],
        ".config/systemd/user/gh-monitor-fixture.service",
    );
}

#[test]
fn a_library_that_writes_an_autostart_entry_is_a_high_alert() {
    startup("autostart", &[], ".config/autostart/fixture.desktop");
}

#[test]
fn a_library_that_appends_to_bashrc_is_a_high_alert() {
    startup("bashrc", &[], "/home/.bashrc");
}

#[test]
fn a_library_that_writes_a_cron_table_is_a_high_alert() {
    // Over the real folder lies an empty one, for this process tree only.
    let enter = mounts::private("mount -t tmpfs tmpfs /etc/cron.d\n: > /etc/cron.d/THROW-AWAY");
    startup("cron", &enter, "/etc/cron.d/pkgwarden-fixture");
}

/// Imports the typosquat; gives what was seen.
fn harvest(stores_exist: bool) {
    need!(require::live(), require::python_build());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let venv = fixture::venv_with_libraries(&scratch);
    scratch.write("app.py", "import reqeusts\n");
    if stores_exist {
        let profile = scratch.home().join(".config/google-chrome/Default");
        fs::create_dir_all(&profile).unwrap();
        fs::write(profile.join("Login Data"), "").unwrap();
        fs::write(profile.join("Cookies"), "").unwrap();
    }

    let seen = Watched::run(
        &scratch,
        [venv.join("bin/python").to_str().unwrap(), "app.py"],
    )
    .finish();

    seen.ended_with(0).complete();
    for store in ["Login Data", "Cookies"] {
        let alert = seen.alert(CREDENTIALS, "high", &format!("on {store}"), |alert| {
            alert
                .text("/file/path")
                .ends_with(&format!("google-chrome/Default/{store}"))
        });
        let (outcome, observed) = if stores_exist {
            ("success", "kernel")
        } else {
            ("ENOENT", "argument")
        };
        assert_eq!(alert.text("/file/outcome"), outcome, "{alert:?}");
        assert_eq!(alert.text("/evidence/observed"), observed, "{alert:?}");
        assert_eq!(alert.text("/evidence/event"), "open", "{alert:?}");
        names_the_library(alert, "reqeusts", "2.0.1");
        assert!(in_order(alert, &["python3"]), "{alert:?}");
    }
}

#[test]
fn a_typosquat_that_opens_browser_stores_is_a_high_alert() {
    harvest(true);
}

#[test]
fn a_typosquat_that_looks_for_browser_stores_in_vain_is_a_high_alert() {
    harvest(false);
}

#[test]
fn fail_on_turns_a_finding_into_status_86_and_says_so() {
    need!(require::live(), require::programs(&["node", "npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let archive = fixture::npm_archive(&scratch, "recon-postinstall");

    let seen = Watched::run(&scratch, ["npm", "install", &archive, "--offline"])
        .fail_on("medium")
        .finish();

    seen.ended_with(86);
    assert_eq!(seen.report["exit"]["decided_by"], "findings", "{seen:?}");
    assert_eq!(seen.report["schema"], "pkgwarden.session/1");
    let installs = seen.report["installs"].as_array().unwrap();
    assert!(!installs.is_empty(), "{seen:?}");
    let packages = seen.report["packages"].to_string();
    assert!(
        packages.contains("left-padding-fixture"),
        "{packages}\n{seen:?}"
    );
    let ids: Vec<_> = seen
        .alerts
        .iter()
        .map(|alert| alert.at("/id").clone())
        .collect();
    assert_eq!(
        seen.report["alerts"],
        serde_json::Value::from(ids),
        "{seen:?}"
    );
}
