//! Honest packages: nothing at medium or above, with the rules and the level of the seed tests.
//! What is below is counted and printed.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use tests::{Scratch, Seen, Turn, Watched, fixture, mounts, need, require};

/// Where npm and pip keep what they fetched, over the runs of this suite.
fn cache(of: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    let folder = home.join(".cache/pkgwarden").join(of);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// An install as on any machine: with the real names of /tmp, which is an empty one of its own.
pub(super) fn watched<'s, A: AsRef<OsStr>>(scratch: &'s Scratch, command: &[A]) -> Watched<'s> {
    Watched::run(scratch, command)
        .without("TMPDIR")
        .env("npm_config_cache", cache("npm"))
        .env("npm_config_nodedir", "/usr")
        .env("PIP_CACHE_DIR", cache("pip"))
        .inside(mounts::private("mount -t tmpfs -o mode=1777 tmpfs /tmp"))
        .inside(["env", "-C", scratch.project().to_str().unwrap()])
        .min_level("informational")
        .deadline(300)
}

pub(super) fn install(scratch: &Scratch, what: &str, command: &[&str]) -> Seen {
    let seen = watched(scratch, command).finish();
    seen.ended_with(0).complete();
    let alerts = seen.quiet();
    let low = seen
        .alerts
        .iter()
        .filter(|alert| alert.text("/level") == "low")
        .count();
    let completeness = &seen.report["completeness"];
    let mut text = format!(
        "QUIET {what}: {low} low, {} informational, suppressed {}, {} execs, {} events of {}\n",
        alerts - low,
        seen.report["suppressed"],
        seen.report["processes"],
        completeness["delivered"],
        completeness["generated"],
    );
    for alert in &seen.alerts {
        text.push_str(&format!(
            "  {} {} {}\n",
            alert.text("/level"),
            alert.text("/rule/file"),
            alert.text("/summary")
        ));
    }
    print!("{text}");
    let _ = std::io::stderr().write_all(text.as_bytes());
    seen
}

/// The number of installed packages.
fn installed(scratch: &Scratch) -> usize {
    let lock = fs::read(scratch.project().join("node_modules/.package-lock.json")).unwrap();
    let lock: serde_json::Value = serde_json::from_slice(&lock).unwrap();
    lock["packages"].as_object().unwrap().len()
}

#[test]
fn npm_ci_of_a_project_of_hundreds_of_packages_raises_nothing() {
    need!(require::live(), require::npm_registry());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    fixture::npm_project(&scratch, "honest-project");
    install(&scratch, "npm ci", &["npm", "ci", "--prefer-offline"]);
    assert!(
        installed(&scratch) >= 300,
        "{} packages",
        installed(&scratch)
    );
}

#[test]
fn packages_with_honest_lifecycle_scripts_raise_nothing() {
    need!(
        require::live(),
        require::npm_registry(),
        require::programs(&["git"])
    );
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    fixture::npm_project(&scratch, "honest-scripts");
    fixture::unwatched(&scratch, &scratch.project(), &["git", "init", "-q", "."]);
    let seen = install(
        &scratch,
        "eleven dependencies with scripts, husky in the root project",
        &["npm", "ci", "--prefer-offline"],
    );
    let ran = seen.report["packages"].to_string();
    for package in ["esbuild", "core-js", "protobufjs"] {
        assert!(
            ran.contains(package),
            "{package} did not run a script: {ran}"
        );
    }
    let hooks = Command::new("git")
        .args(["config", "core.hooksPath"])
        .current_dir(scratch.project())
        .output()
        .unwrap();
    assert_eq!(hooks.stdout, b".husky/_\n", "husky did not run\n{seen:?}");
}

#[test]
fn a_native_addon_built_by_node_gyp_raises_nothing() {
    need!(
        require::live(),
        require::npm_registry(),
        require::programs(&["make", "c++"])
    );
    if !PathBuf::from("/usr/include/node/node.h").exists() {
        return require::skip(
            "no node headers in /usr/include/node, and node-gyp may not fetch them",
        );
    }
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    fixture::npm_project(&scratch, "honest-addon");
    let seen = install(&scratch, "node-gyp", &["npm", "ci", "--prefer-offline"]);
    let addon = "node_modules/unix-dgram/build/Release/unix_dgram.node";
    assert!(scratch.project().join(addon).exists(), "{seen:?}");
}

/// A pip command in a fresh environment.
fn pip(what: &str, arguments: &[&str]) {
    need!(require::live(), require::pip_index());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let pip = fixture::venv(&scratch, &[]).join("bin/pip");
    let mut line = vec![pip.to_str().unwrap()];
    line.extend(arguments);
    install(&scratch, what, &line);
}

#[test]
fn well_known_wheels_raise_nothing() {
    pip(
        "five wheels and what they need",
        &[
            "install",
            "--only-binary=:all:",
            "numpy==2.2.1",
            "cryptography==44.0.0",
            "requests==2.32.3",
            "pydantic==2.10.4",
            "black==24.10.0",
        ],
    );
}

#[test]
fn an_sdist_with_a_c_extension_raises_nothing() {
    need!(require::programs(&["cc"]));
    // Built from source each time, with setuptools in an environment of its own.
    pip(
        "an sdist with a C extension",
        &[
            "install",
            "--no-binary=markupsafe",
            "--no-cache-dir",
            "markupsafe==3.0.2",
        ],
    );
}

#[test]
fn an_upgrade_of_pip_and_setuptools_raises_nothing() {
    // Through python, since pip refuses to replace its own script while that runs on some systems.
    need!(require::live(), require::pip_index());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let python = fixture::venv(&scratch, &[]).join("bin/python");
    install(
        &scratch,
        "pip install --upgrade pip setuptools",
        &[
            python.to_str().unwrap(),
            "-m",
            "pip",
            "install",
            "--upgrade",
            "pip==24.3.1",
            "setuptools==75.8.0",
        ],
    );
}
