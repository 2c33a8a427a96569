//! Makes the packages and environments of the scenarios, with the tools a user has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Scratch;

/// A folder of the committed fixtures.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// A script of `acts/`: something an attacker's code does that Rust's safe interfaces lack.
pub fn act(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("acts")
        .join(name)
}

/// Runs a command unwatched in the scratch surroundings; panics when it fails.
pub fn unwatched(scratch: &Scratch, directory: &Path, line: &[&str]) -> Output {
    let output = Command::new(line[0])
        .args(&line[1..])
        .env_clear()
        .envs(scratch.environment())
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", line[0]));
    assert!(
        output.status.success(),
        "{line:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Packs an npm fixture; gives the name of the archive in the project.
pub fn npm_archive(scratch: &Scratch, fixture: &str) -> String {
    pack(scratch, &folder("npm").join(fixture))
}

fn pack(scratch: &Scratch, source: &Path) -> String {
    scratch.write(
        "package.json",
        r#"{"name": "project", "version": "1.0.0", "private": true}"#,
    );
    let packed = unwatched(
        scratch,
        &scratch.project(),
        &[
            "npm",
            "pack",
            "--offline",
            "--silent",
            source.to_str().unwrap(),
        ],
    );
    let name = String::from_utf8(packed.stdout).unwrap().trim().to_owned();
    format!("./{name}")
}

/// An npm archive whose postinstall is this; gives its name in the project. It calls itself
/// `hostile-fixture`, version 6.6.6.
pub fn npm_archive_that_runs(scratch: &Scratch, postinstall: &str) -> String {
    let source = scratch.tmp().join("hostile-fixture");
    fs::create_dir_all(&source).unwrap();
    let manifest = serde_json::json!({
        "name": "hostile-fixture",
        "version": "6.6.6",
        "scripts": {"postinstall": postinstall},
    });
    fs::write(source.join("package.json"), manifest.to_string()).unwrap();
    let archive = pack(scratch, &source);
    fs::remove_dir_all(source).unwrap();
    archive
}

/// Builds an sdist of a pip fixture whose build is setuptools; gives its name in the project.
pub fn sdist(scratch: &Scratch, fixture: &str) -> String {
    let source = scratch.tmp().join(fixture);
    copy(&folder("pip").join(fixture), &source);
    build_sdist(scratch, &source, &scratch.project());
    let archive = fs::read_dir(scratch.project())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.ends_with(".tar.gz"))
        .expect("setup.py sdist makes an archive");
    fs::remove_dir_all(source).unwrap();
    format!("./{archive}")
}

/// Builds an sdist of this source, by setuptools and unwatched, into that folder.
pub fn build_sdist(scratch: &Scratch, source: &Path, folder: &Path) {
    let folder = folder.to_str().unwrap();
    let build = ["/usr/bin/python3", "setup.py", "-q", "sdist", "-d", folder];
    unwatched(scratch, source, &build);
}

/// Copies a pip fixture that brings its own build backend; gives its folder in the project.
pub fn source_tree(scratch: &Scratch, fixture: &str) -> String {
    copy(
        &folder("pip").join(fixture),
        &scratch.project().join(fixture),
    );
    format!("./{fixture}")
}

/// An environment with pip in it, which sees Debian's setuptools and wheel.
pub fn venv_with_pip(scratch: &Scratch) -> PathBuf {
    venv(scratch, &["--system-site-packages"])
}

/// An environment that holds the fixture libraries.
pub fn venv_with_libraries(scratch: &Scratch) -> PathBuf {
    let venv = venv(scratch, &["--without-pip"]);
    let lib = fs::read_dir(venv.join("lib"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    copy(&folder("site-packages"), &lib.join("site-packages"));
    venv
}

/// An environment as a user makes it.
pub fn venv(scratch: &Scratch, options: &[&str]) -> PathBuf {
    let path = scratch.project().join(".venv");
    let mut line = vec!["/usr/bin/python3", "-m", "venv"];
    line.extend(options);
    line.push(path.to_str().unwrap());
    unwatched(scratch, &scratch.project(), &line);
    path
}

/// Copies an npm project with its lock file into the scratch project.
pub fn npm_project(scratch: &Scratch, fixture: &str) {
    copy(&folder("npm").join(fixture), &scratch.project());
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
