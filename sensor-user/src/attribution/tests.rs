use super::*;
use crate::event::stage::Stage;
use crate::event::{Body, ProcessKey};
use crate::lineage::Lineage;

/// The package of a process after all events of the stage.
fn package_of(stage: &Stage, key: ProcessKey) -> Option<Attribution> {
    let mut lineage = Lineage::default();
    for event in &stage.events {
        match &event.body {
            Body::Fork { actor, child } => lineage.fork(actor, *child, event.time),
            Body::Exec { actor, exec } => {
                lineage.exec(actor, exec, event.time);
            }
            Body::Module { actor, path } => lineage.module(actor, path, event.time),
            Body::Metadata { about, manifest } => {
                lineage.manifest(*about, manifest);
            }
            _ => {}
        }
    }
    let package = lineage.get(key)?.context.package.as_ref()?;
    Some(package.borrow().clone())
}

fn npm() -> (Stage, ProcessKey) {
    let mut stage = Stage::new("npm ci");
    let root = stage.root;
    let args = &["node", "/usr/bin/npm", "ci"];
    stage.exec(root, "/usr/bin/node", args, "/home/dev/app", &[]);
    (stage, root)
}

fn pip() -> (Stage, ProcessKey) {
    let mut stage = Stage::new("pip install x");
    let root = stage.root;
    let args = &["python", "/usr/bin/pip", "install", "x"];
    stage.exec(root, "/usr/bin/python3.11", args, "/home/dev/app", &[]);
    (stage, root)
}

fn script(stage: &mut Stage, parent: ProcessKey, directory: &str, env: &[&str]) -> ProcessKey {
    stage.spawn(parent, "/usr/bin/dash", &["sh", "-c", "x"], directory, env)
}

fn manifest(directory: &str, name: &str, version: &str) -> Manifest {
    Manifest {
        directory: directory.into(),
        file: "PKG-INFO".into(),
        name: Some(name.into()),
        version: Some(version.into()),
        fetched: None,
    }
}

#[test]
fn the_folder_names_a_package_and_its_own_claim_is_kept_beside_it() {
    let (mut stage, npm) = npm();
    let child = script(
        &mut stage,
        npm,
        "/home/dev/app/node_modules/a/node_modules/@evil/b",
        &[
            "npm_lifecycle_event=postinstall",
            "npm_lifecycle_script=x",
            "npm_package_name=react",
            "npm_package_version=1.0.0",
            "npm_package_integrity=sha512-x",
        ],
    );
    let package = package_of(&stage, child).unwrap().package().unwrap();
    assert_eq!(package.name, "@evil/b");
    assert_eq!(package.claimed_name.as_deref(), Some("react"));
    assert_eq!(package.purl, "pkg:npm/%40evil/b@1.0.0");
    assert_eq!(package.source, PackageSource::Path);
    assert_eq!(package.confidence, Confidence::Medium);
    assert_eq!(package.lifecycle.as_deref(), Some("postinstall"));
    assert_eq!(package.script.as_deref(), Some("x"));
    assert_eq!(
        package.path.as_deref(),
        Some("/home/dev/app/node_modules/a/node_modules/@evil/b")
    );
}

#[test]
fn the_archives_version_is_believed_before_the_manifests() {
    let (mut stage, npm) = npm();
    let child = script(
        &mut stage,
        npm,
        "/home/dev/app/node_modules/a",
        &[
            "npm_lifecycle_event=install",
            "npm_package_name=a",
            "npm_package_version=9.9.9",
            "npm_package_resolved=https://registry.invalid/a/-/a-1.2.3.tgz",
        ],
    );
    let package = package_of(&stage, child).unwrap();
    assert_eq!(package.version.as_deref(), Some("1.2.3"));
    assert_eq!(package.confidence, Confidence::High);
}

#[test]
fn a_script_that_calls_itself_another_package_stays_what_it_is() {
    let (mut stage, npm) = npm();
    let child = script(
        &mut stage,
        npm,
        "/home/dev/app/node_modules/evil",
        &["npm_lifecycle_event=postinstall", "npm_package_name=evil"],
    );
    let lie = ["npm_lifecycle_event=postinstall", "npm_package_name=react"];
    let args = ["node", "/usr/bin/npm", "install", "react"];
    let nested = stage.spawn(child, "/usr/bin/node", &args, "/tmp", &lie);
    let deeper = script(&mut stage, nested, "/tmp/node_modules/react", &lie);
    for process in [child, nested, deeper] {
        let package = package_of(&stage, process).unwrap();
        assert_eq!(package.name.as_deref(), Some("evil"));
    }
}

#[test]
fn only_the_project_that_the_command_was_for_is_the_root_project() {
    let event = "npm_lifecycle_event=prepare";
    let (mut stage, npm) = npm();
    let root = script(
        &mut stage,
        npm,
        "/home/dev/app",
        &[
            event,
            "npm_package_name=app",
            "npm_config_local_prefix=/home/dev/app",
        ],
    );
    let linked = script(
        &mut stage,
        npm,
        "/home/dev/other",
        &[event, "npm_package_name=other"],
    );
    // A git dependency is prepared by a manager of its own.
    let args = ["node", "/usr/bin/npm", "install"];
    let cloned = "/home/dev/.npm/_cacache/tmp/git-cloneX";
    let inner = stage.spawn(npm, "/usr/bin/node", &args, cloned, &[]);
    let prefix = format!("npm_config_local_prefix={cloned}");
    let git = script(
        &mut stage,
        inner,
        cloned,
        &[event, "npm_package_name=g", &prefix],
    );
    // A root script that installs a subfolder: its dependencies are not the root project.
    let sub = stage.spawn(root, "/usr/bin/node", &args, "/home/dev/app/sub", &[]);
    let dependency = script(
        &mut stage,
        sub,
        "/home/dev/app/sub/node_modules/evil",
        &[event],
    );

    let is_root = |key| package_of(&stage, key).unwrap().is_root;
    assert!(is_root(root));
    assert!(!is_root(linked));
    assert!(!is_root(git));
    assert!(!is_root(dependency));
    let name = package_of(&stage, dependency).unwrap().name;
    assert_eq!(name.as_deref(), Some("evil"));
}

#[test]
fn a_build_hook_is_the_package_that_pip_unpacked() {
    let (mut stage, pip) = pip();
    let directory = format!("/tmp/pip-install-ab_c/foo-bar_{}", "0f".repeat(16));
    let hook = "/v/site-packages/pip/_vendor/pyproject_hooks/_in_process/_in_process.py";
    let args = ["python", hook, "build_wheel", "/tmp/t"];
    let child = stage.spawn(pip, "/usr/bin/python3.11", &args, &directory, &[]);
    stage.push(Body::Metadata {
        about: child,
        manifest: manifest(&directory, "Foo.Bar", "2.0"),
    });
    let shell = script(&mut stage, child, &directory, &[]);
    let package = package_of(&stage, shell).unwrap().package().unwrap();
    assert_eq!(package.purl, "pkg:pypi/foo-bar@2.0");
    assert_eq!(package.claimed_name, None);
    assert_eq!(package.lifecycle.as_deref(), Some("build_wheel"));
    assert_eq!(package.source, PackageSource::Path);
    assert_eq!(package.confidence, Confidence::High);
}

#[test]
fn a_build_hook_of_uv_is_the_package_of_its_folder() {
    let (mut stage, pip) = pip();
    let code = "import be as backend\n\nname = backend.build_wheel(\"/t\", {}, None)\n";
    let args = ["python", "-c", code];
    let child = stage.spawn(pip, "/usr/bin/python3.11", &args, "/u/src", &[]);
    stage.push(Body::Metadata {
        about: child,
        manifest: manifest("/u/src", "foo", "1.0"),
    });
    let package = package_of(&stage, child).unwrap().package().unwrap();
    assert_eq!(package.purl, "pkg:pypi/foo@1.0");
    assert_eq!(package.lifecycle.as_deref(), Some("build_wheel"));
}

#[test]
fn a_manifest_that_names_another_package_is_a_claim() {
    let (mut stage, pip) = pip();
    let directory = format!("/tmp/pip-install-a/evil_{}", "0".repeat(32));
    let args = [
        "python",
        "/x/_in_process.py",
        "get_requires_for_build_wheel",
        "/t",
    ];
    let child = stage.spawn(pip, "/usr/bin/python3.11", &args, &directory, &[]);
    stage.push(Body::Metadata {
        about: child,
        manifest: manifest(&directory, "requests", "2"),
    });
    // Only what is read first and from the package's own folder counts.
    stage.push(Body::Metadata {
        about: child,
        manifest: manifest("/tmp/elsewhere", "other", "3"),
    });
    let package = package_of(&stage, child).unwrap();
    assert_eq!(package.name.as_deref(), Some("evil"));
    assert_eq!(package.claimed_name.as_deref(), Some("requests"));
    assert_eq!(package.version.as_deref(), Some("2"));
}

#[test]
fn a_local_archive_has_its_name_from_the_manifest() {
    let (mut stage, pip) = pip();
    let directory = "/tmp/pip-req-build-x1";
    let code = "exec(compile('''# This is <pip-setuptools-caller> ''', 'x', 'exec'))";
    let args = [
        "python",
        "-u",
        "-c",
        code,
        "--no-user-cfg",
        "bdist_wheel",
        "-d",
        "/t",
    ];
    let child = stage.spawn(pip, "/usr/bin/python3.11", &args, directory, &[]);
    let early = stage.fork(child);
    assert_eq!(package_of(&stage, child).unwrap().package(), None);
    stage.push(Body::Metadata {
        about: child,
        manifest: manifest(directory, "local", "0.1"),
    });
    for process in [child, early] {
        let package = package_of(&stage, process).unwrap().package().unwrap();
        assert_eq!(package.name, "local");
        assert_eq!(package.lifecycle.as_deref(), Some("bdist_wheel"));
        assert_eq!(package.source, PackageSource::Metadata);
    }
}

#[test]
fn pips_clean_after_a_failed_wheel_runs_the_packages_code_too() {
    let mut stage = Stage::new("pip install evil");
    let pip = stage.root;
    stage.exec(
        pip,
        "/usr/bin/python3.11",
        &["python", "/usr/bin/pip", "install", "evil"],
        "/",
        &[],
    );
    let code = "exec(compile(# This is <pip-setuptools-caller> , 'x', 'exec'))";
    let args = ["python", "-u", "-c", code, "clean", "--all"];
    let directory = "/tmp/pip-install-a1b2c3d4/evil_0123456789abcdef0123456789abcdef";
    let child = stage.spawn(pip, "/usr/bin/python3.11", &args, directory, &[]);
    let package = package_of(&stage, child).unwrap();
    assert_eq!(package.name.as_deref(), Some("evil"));
    assert_eq!(package.lifecycle.as_deref(), Some("clean"));
    assert!(package.is_final());
}

#[test]
fn setup_py_by_hand_is_the_root_project() {
    let mut stage = Stage::new("python setup.py install");
    let root = stage.root;
    let args = ["python", "setup.py", "install"];
    stage.exec(root, "/usr/bin/python3.11", &args, "/home/dev/lib", &[]);
    let package = package_of(&stage, root).unwrap();
    assert!(package.is_root);
    assert_eq!(package.lifecycle.as_deref(), Some("install"));
}

#[test]
fn a_start_up_file_is_its_packages_not_its_own_names() {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    stage.exec(root, "/usr/bin/python3.11", &["python", "app.py"], "/", &[]);
    let path = "/v/lib/python3.11/site-packages/innocent.pth";
    stage.push(Body::Module {
        actor: stage.actor(root),
        path: path.into(),
    });
    stage.push(Body::Metadata {
        about: root,
        manifest: manifest(path, "litellm", "1.82.8"),
    });
    let package = package_of(&stage, root).unwrap().package().unwrap();
    assert_eq!(package.purl, "pkg:pypi/litellm@1.82.8");
    assert_eq!(package.claimed_name, None);
}

#[test]
fn at_run_time_the_newest_package_that_was_read_is_a_weak_sign() {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    stage.exec(root, "/usr/bin/python3.11", &["python", "app.py"], "/", &[]);
    let actor = stage.actor(root);
    for (path, purl) in [
        (
            "/v/lib/python3.11/site-packages/requests/api.py",
            "pkg:pypi/requests",
        ),
        ("/v/lib/python3.11/site-packages/six.py", "pkg:pypi/six"),
        (
            "/v/lib/python3.11/site-packages/__pycache__/six.cpython-311.pyc",
            "pkg:pypi/six",
        ),
        (
            "/v/lib/python3.11/site-packages/a_b-1.0.dist-info/METADATA",
            "pkg:pypi/a-b@1.0",
        ),
        (
            "/usr/lib/python3/dist-packages/x.cpython-311-x86_64-linux-gnu.so",
            "pkg:pypi/x",
        ),
        ("/p/node_modules/@s/n/index.js", "pkg:npm/%40s/n"),
        (
            "/p/node_modules/.pnpm/@s+n@2.1.0_r@1.0.0/node_modules/@s/n/i.js",
            "pkg:npm/%40s/n@2.1.0",
        ),
    ] {
        let path = path.into();
        stage.push(Body::Module { actor, path });
        let package = package_of(&stage, root).unwrap().package().unwrap();
        assert_eq!(package.purl, purl);
        assert_eq!(package.lifecycle.as_deref(), Some("import"));
        assert_eq!(package.confidence, Confidence::Low);
    }
    let child = stage.fork(root);
    assert!(package_of(&stage, child).is_some());
}

#[test]
fn what_a_manager_or_a_lifecycle_script_reads_changes_nothing() {
    let (mut stage, npm) = npm();
    let actor = stage.actor(npm);
    let path = "/usr/lib/node_modules/npm/lib/cli.js".into();
    stage.push(Body::Module { actor, path });
    assert_eq!(package_of(&stage, npm), None);
    let env = ["npm_lifecycle_event=postinstall"];
    let child = script(&mut stage, npm, "/home/dev/app/node_modules/a", &env);
    let actor = stage.actor(child);
    let path = "/home/dev/app/node_modules/b/index.js".into();
    stage.push(Body::Module { actor, path });
    let package = package_of(&stage, child).unwrap();
    assert_eq!(package.name.as_deref(), Some("a"));
}

#[test]
fn a_ci_job_is_what_its_runner_said_first() {
    let mut stage = Stage::new("npm ci");
    let root = stage.root;
    let job = [
        "GITHUB_RUN_ID=7",
        "GITHUB_REPOSITORY=a/b",
        "GITHUB_SERVER_URL=https://ci.invalid",
    ];
    stage.exec(root, "/usr/bin/bash", &["bash"], "/", &job);
    let lie = ["GITHUB_RUN_ID=8", "GITHUB_REPOSITORY=other/repo"];
    let child = stage.spawn(root, "/usr/bin/env", &["env"], "/", &lie);
    let mut lineage = Lineage::default();
    for event in &stage.events {
        match &event.body {
            Body::Fork { actor, child } => lineage.fork(actor, *child, event.time),
            Body::Exec { actor, exec } => {
                lineage.exec(actor, exec, event.time);
            }
            _ => {}
        }
    }
    let ci = lineage.get(child).unwrap().context.ci.clone().unwrap();
    assert_eq!(ci.repository.as_deref(), Some("a/b"));
    assert_eq!(
        ci.record.url.as_deref(),
        Some("https://ci.invalid/a/b/actions/runs/7")
    );
}
