//! The packages of the selftest. Each is a few lines, and each line is harmless.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use super::scratch::Scratch;

pub(super) const CALLBACK_PORT: u16 = 4444;
/// Any public address will do: it is dialled in a network namespace with nothing in it.
const PUBLIC: &str = "45.33.32.156";

/// Why a test can't be run here.
#[derive(Debug)]
pub(super) struct Skip(pub(super) String);

impl From<std::io::Error> for Skip {
    fn from(error: std::io::Error) -> Self {
        Skip(format!("its files can't be written: {error}"))
    }
}

/// A test that is ready to run.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) command: Vec<OsString>,
    pub(super) variables: Vec<(&'static str, OsString)>,
    pub(super) no_network: bool,
    /// What is run, for messages.
    pub(super) tool: &'static str,
    /// If it fails, the test has tested nothing.
    pub(super) must_succeed: bool,
}

const SETUP_PY: &str = "\
import subprocess
subprocess.run('whoami', shell=True, stdout=subprocess.DEVNULL)
";

/// Runs setup.py as a build would and packs an empty wheel: setuptools need not be there.
const BACKEND: &str = "\
import os, subprocess, sys, zipfile
NAME = 'pkgwarden_selftest-1.0.0'
def build_wheel(directory, config_settings=None, metadata_directory=None):
    subprocess.check_call([sys.executable, 'setup.py', 'build'])
    wheel = NAME + '-py3-none-any.whl'
    info = NAME + '.dist-info/'
    with zipfile.ZipFile(os.path.join(directory, wheel), 'w') as file:
        file.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: pkgwarden-selftest\\nVersion: 1.0.0\\n')
        file.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: selftest\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        file.writestr(info + 'RECORD', '')
    return wheel
";

const PYPROJECT: &str = "\
[build-system]
requires = []
build-backend = 'selftest_backend'
backend-path = ['.']
[project]
name = 'pkgwarden-selftest'
version = '1.0.0'
";

pub(super) fn setup_py(scratch: &Scratch) -> Result<Prepared, Skip> {
    scratch.write("project/source/setup.py", SETUP_PY)?;
    scratch.write("project/source/selftest_backend.py", BACKEND)?;
    scratch.write("project/source/pyproject.toml", PYPROJECT)?;
    let python = python(scratch, &["-m", "pip", "--version"])
        .ok_or_else(|| Skip("there is no python3 with pip here".to_owned()))?;
    let options = [
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "--target",
        "installed",
        "./source",
    ];
    Ok(Prepared {
        command: command(python, &options),
        variables: Vec::new(),
        no_network: false,
        tool: "pip install",
        must_succeed: true,
    })
}

pub(super) fn postinstall(scratch: &Scratch) -> Result<Prepared, Skip> {
    scratch.write(
        "tmp/source/package.json",
        r#"{"name": "pkgwarden-selftest", "version": "1.0.0", "scripts": {"postinstall": "id > \"$TMPDIR/who-installed-me\""}}"#,
    )?;
    scratch.write(
        "project/package.json",
        r#"{"name": "project", "version": "1.0.0", "private": true}"#,
    )?;
    // A folder would be linked, and a link's scripts are another matter.
    if !succeeds(
        scratch,
        Path::new("npm"),
        &["pack", "--silent", "../tmp/source"],
    ) {
        return Err(Skip("there is no npm that works here".to_owned()));
    }
    let options = ["install", "./pkgwarden-selftest-1.0.0.tgz"];
    Ok(Prepared {
        command: command("npm", &options),
        variables: Vec::new(),
        no_network: false,
        tool: "npm install",
        must_succeed: true,
    })
}

pub(super) fn callback_to_public(scratch: &Scratch) -> Result<Prepared, Skip> {
    let prepared = callback(scratch, PUBLIC)?;
    Ok(Prepared {
        no_network: true,
        ..prepared
    })
}

pub(super) fn callback_to_loopback(scratch: &Scratch) -> Result<Prepared, Skip> {
    callback(scratch, "127.0.0.1")
}

fn callback(scratch: &Scratch, address: &str) -> Result<Prepared, Skip> {
    library(
        scratch,
        &format!(
            "\
import socket
try:
    socket.create_connection(('{address}', {CALLBACK_PORT}), timeout=1).close()
except OSError:
    pass
"
        ),
    )
}

pub(super) fn persistence(scratch: &Scratch) -> Result<Prepared, Skip> {
    library(
        scratch,
        "\
import os, pathlib
home = pathlib.Path(os.environ['HOME'])
unit = home / '.config/systemd/user/selftest.service'
unit.parent.mkdir(parents=True)
unit.write_text('[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=default.target\\n')
desktop = home / '.config/autostart/selftest.desktop'
desktop.parent.mkdir(parents=True)
desktop.write_text('[Desktop Entry]\\nType=Application\\nName=selftest\\nExec=/bin/true\\n')
with open(home / '.bashrc', 'a') as bashrc:
    bashrc.write('# written by the selftest\\n')
",
    )
}

pub(super) fn harvester(scratch: &Scratch) -> Result<Prepared, Skip> {
    library(
        scratch,
        "\
import os, pathlib
profile = pathlib.Path(os.environ['HOME']) / '.config/google-chrome/Default'
for name in ['Login Data', 'Cookies']:
    try:
        open(profile / name, 'rb').close()
    except OSError:
        pass
",
    )
}

/// A program that imports a library which does this.
fn library(scratch: &Scratch, code: &str) -> Result<Prepared, Skip> {
    let packages = scratch.home().join("lib/python3/site-packages");
    scratch.write(packages.join("selftest_library/__init__.py"), code)?;
    scratch.write("project/app.py", "import selftest_library\n")?;
    let python = python(scratch, &["-c", "pass"])
        .ok_or_else(|| Skip("there is no python3 here".to_owned()))?;
    Ok(Prepared {
        command: command(python, &["app.py"]),
        variables: vec![("PYTHONPATH", packages.into())],
        no_network: false,
        tool: "python3",
        must_succeed: true,
    })
}

/// The first python that can do this in the test's own surroundings; a version manager's stand-in
/// for python may not.
fn python(scratch: &Scratch, check: &[&str]) -> Option<&'static str> {
    ["/usr/bin/python3", "python3"]
        .into_iter()
        .find(|python| succeeds(scratch, Path::new(python), check))
}

fn succeeds(scratch: &Scratch, program: &Path, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(scratch.environment(&[]))
        .current_dir(scratch.project())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn command(program: &str, arguments: &[&str]) -> Vec<OsString> {
    [program]
        .iter()
        .chain(arguments)
        .map(OsString::from)
        .collect()
}
