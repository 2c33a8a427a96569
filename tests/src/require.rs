//! What a test needs of the machine, and the skips where it is not there.

use std::env;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Scratch;

/// Prints `SKIP <test>: <why>` and adds the line to the file that `PKGWARDEN_SKIPS` names.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("?");
    let line = format!("SKIP {test}: {why}\n");
    // The test runner repeats what a test printed only where it is asked to (--show-output), and
    // then it is read there; straight to stderr, it is seen in any case.
    print!("{line}");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = env::var_os("PKGWARDEN_SKIPS") {
        let mut list = File::options()
            .create(true)
            .append(true)
            .open(list)
            .expect("PKGWARDEN_SKIPS must name a file that can be written");
        list.write_all(line.as_bytes()).unwrap();
    }
}

/// Why a live test can't run at all here, if it can't.
pub fn live() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("needs root to load eBPF programs".into());
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err("this kernel has no BTF at /sys/kernel/btf/vmlinux".into());
    }
    Ok(())
}

/// Whether these programs can be started; names the first that can't.
pub fn programs(names: &[&str]) -> Result<(), String> {
    for name in names {
        let found = Command::new("sh")
            .args(["-c", "command -v \"$1\"", "sh", name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !found {
            return Err(format!(
                "needs the program {name}; `cargo xtask setup` installs it"
            ));
        }
    }
    Ok(())
}

/// Whether Debian's python has what offline builds need.
pub fn python_build() -> Result<(), String> {
    let found = Command::new("/usr/bin/python3")
        .args(["-c", "import setuptools, wheel, ensurepip"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    found.then_some(()).ok_or_else(|| {
        "needs python3-setuptools, python3-wheel and python3-venv; `cargo xtask setup` installs them"
            .into()
    })
}

/// Whether npm reaches its registry; asked once.
pub fn npm_registry() -> Result<(), String> {
    static REACHED: OnceLock<bool> = OnceLock::new();
    programs(&["node", "npm"])?;
    reached(&REACHED, "npm", &["npm", "ping", "--fetch-retries=0"])
}

/// Whether pip reaches its index; asked once.
pub fn pip_index() -> Result<(), String> {
    static REACHED: OnceLock<bool> = OnceLock::new();
    python_build()?;
    let ask = [
        "/usr/bin/python3",
        "-m",
        "pip",
        "--retries=0",
        "index",
        "versions",
        "six",
    ];
    reached(&REACHED, "pip", &ask)
}

fn reached(known: &OnceLock<bool>, client: &str, line: &[&str]) -> Result<(), String> {
    let scratch = Scratch::new();
    let reached = *known.get_or_init(|| {
        Command::new(line[0])
            .args(&line[1..])
            .env_clear()
            .envs(scratch.environment())
            .output()
            .is_ok_and(|output| output.status.success())
    });
    reached
        .then_some(())
        .ok_or_else(|| format!("{client} does not reach its packages: no network?"))
}

/// Ends the test as a skip where the machine lacks something.
#[macro_export]
macro_rules! need {
    ($($check:expr),+ $(,)?) => {
        $(if let Err(why) = $check {
            $crate::require::skip(&why);
            return;
        })+
    };
}
