//! Which package manager a command line is, and whether it installs.
//!
//! Told from the executable and the arguments at exec, as the kernel copied them. Managers are
//! scripts more often than programs: npm is `node …/npm-cli.js` or `node /usr/bin/npm`, pip is
//! `python -m pip` or `python …/bin/pip`. A shell whose command line merely holds `npm install` is
//! no manager: only what the manager itself starts belongs to the install.

use super::verbs;

/// A program that fetches, builds or runs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the tools' own names")]
pub enum Manager {
    Npm,
    Pnpm,
    Yarn,
    Bun,
    Pip,
    Uv,
    Poetry,
    Pipx,
    Pipenv,
    EasyInstall,
    /// `python setup.py …`
    Setuptools,
    /// `python -m build`
    Build,
}

impl Manager {
    /// As rules and alerts spell it.
    pub fn name(self) -> &'static str {
        match self {
            Manager::Npm => "npm",
            Manager::Pnpm => "pnpm",
            Manager::Yarn => "yarn",
            Manager::Bun => "bun",
            Manager::Pip => "pip",
            Manager::Uv => "uv",
            Manager::Poetry => "poetry",
            Manager::Pipx => "pipx",
            Manager::Pipenv => "pipenv",
            Manager::EasyInstall => "easy_install",
            Manager::Setuptools => "setuptools",
            Manager::Build => "build",
        }
    }

    /// It runs the lifecycle scripts of npm packages.
    pub fn runs_node_packages(self) -> bool {
        matches!(
            self,
            Manager::Npm | Manager::Pnpm | Manager::Yarn | Manager::Bun
        )
    }
}

/// One run of a package manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Which.
    pub manager: Manager,
    /// Its verb fetches or builds packages, and so may run their code.
    pub installs: bool,
    /// The project's folder, where an option names one (`--prefix x`, `-C x`, `--cwd x`).
    pub folder: Option<String>,
}

/// What a program is by the name of its executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum Interpreter {
    Node,
    /// bun and deno, which are package managers too.
    AllInOne,
    Python,
}

/// Whether an executable of this name runs JavaScript or Python libraries.
pub(super) fn interpreter(basename: &str) -> Option<Interpreter> {
    let version = |rest: &str| {
        rest.bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b't' || b == b'-')
    };
    if let Some(rest) = basename.strip_prefix("node") {
        return (version(rest) || rest == "js").then_some(Interpreter::Node);
    }
    if matches!(basename, "bun" | "bun.exe" | "bun-profile" | "deno") {
        return Some(Interpreter::AllInOne);
    }
    for name in ["python", "pypy"] {
        if let Some(rest) = basename.strip_prefix(name) {
            return version(rest).then_some(Interpreter::Python);
        }
    }
    None
}

/// The last component of a path.
pub(super) fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Recognises a package manager. `executable` is the kernel's path of the image; `args` begins with
/// the name the program was given.
pub(super) fn recognise(executable: &str, args: &[&str]) -> Option<Invocation> {
    let name = basename(executable);
    let rest = args.get(1..).unwrap_or_default();
    match interpreter(name) {
        Some(Interpreter::Node) => node_script(rest),
        Some(Interpreter::Python) => python_program(rest),
        Some(Interpreter::AllInOne) | None => named(name, rest),
    }
}

/// `node [options] script [arguments]`
fn node_script(args: &[&str]) -> Option<Invocation> {
    let at = script_position(args, verbs::NODE_VALUE_OPTIONS, |option| {
        matches!(option, "-e" | "--eval" | "-p" | "--print" | "-pe")
    })?;
    let rest = &args[at + 1..];
    let script = basename(args[at]);
    if script == "corepack.js" || script == "corepack" {
        // `corepack pnpm@9 install`
        let tool = rest.first()?.split('@').next()?;
        return named(tool, &rest[1..]);
    }
    let stem = [".cjs", ".mjs", ".js"]
        .iter()
        .find_map(|suffix| script.strip_suffix(suffix))
        .unwrap_or(script);
    let stem = stem.strip_suffix("-cli").unwrap_or(stem);
    if stem == "npx" {
        return Some(plain(Manager::Npm, false));
    }
    // `.yarn/releases/yarn-4.5.0.cjs`
    let stem = if stem.starts_with("yarn-") {
        "yarn"
    } else {
        stem
    };
    matches!(stem, "npm" | "pnpm" | "yarn" | "yarnpkg" | "bun")
        .then(|| named(stem, rest))
        .flatten()
}

/// `python [options] (-m module | -c code | script) [arguments]`
fn python_program(args: &[&str]) -> Option<Invocation> {
    let mut at = 0;
    while at < args.len() {
        let arg = args[at];
        let rest = args.get(at + 1..).unwrap_or_default();
        match arg {
            "-m" => return python_module(rest.first()?, &rest[1..]),
            "-c" => return setuptools_caller(rest.first()?),
            "-X" | "-W" | "--check-hash-based-pycs" => at += 2,
            _ if arg.starts_with("-m") && arg.len() > 2 => return python_module(&arg[2..], rest),
            // `-Im pip`, `-Ec code`: single letters run together, the last one takes the value.
            _ if arg.starts_with('-') && !arg.starts_with("--") && arg.ends_with('m') => {
                return python_module(rest.first()?, &rest[1..]);
            }
            _ if arg.starts_with('-') && arg.len() > 1 => at += 1,
            _ => return python_script(arg, rest),
        }
    }
    None
}

fn python_module(module: &str, rest: &[&str]) -> Option<Invocation> {
    match module {
        "pip" | "pip.__main__" | "pip._internal" | "pip._internal.cli.main" => named("pip", rest),
        "build" => Some(plain(Manager::Build, true)),
        "setup" => named("setup.py", rest),
        _ => named(module, rest),
    }
}

fn python_script(script: &str, rest: &[&str]) -> Option<Invocation> {
    let name = basename(script);
    match name {
        // How pip starts itself: for build isolation, and `python -m pip` seen through runpy.
        "__pip-runner__.py" | "__env_pip__.zip" => return named("pip", rest),
        "__main__.py" | "pip" if script.ends_with("/pip/__main__.py") || name == "pip" => {
            return named("pip", rest);
        }
        _ => {}
    }
    named(name, rest)
}

/// pip before `pyproject.toml`: `python -c "…<pip-setuptools-caller>…" install …`. Whatever the command,
/// `clean` after a wheel that failed too, the package's `setup.py` runs.
fn setuptools_caller(code: &str) -> Option<Invocation> {
    let setuptools = code.contains("<pip-setuptools-caller>")
        || (code.contains("setuptools") && code.contains("setup.py"));
    setuptools.then(|| plain(Manager::Setuptools, true))
}

/// By the tool's name, whatever runs it; npm's bun is `bun.exe` on every system.
fn named(tool: &str, args: &[&str]) -> Option<Invocation> {
    let tool = tool.strip_suffix(".exe").unwrap_or(tool);
    let (manager, grammar) = match tool {
        "npm" => (Manager::Npm, &verbs::NPM),
        "pnpm" => (Manager::Pnpm, &verbs::PNPM),
        "yarn" | "yarnpkg" => (Manager::Yarn, &verbs::YARN),
        "bun" => (Manager::Bun, &verbs::BUN),
        "uv" => (Manager::Uv, &verbs::UV),
        "poetry" => (Manager::Poetry, &verbs::POETRY),
        "pipx" => (Manager::Pipx, &verbs::PIPX),
        "pipenv" => (Manager::Pipenv, &verbs::PIPENV),
        "easy_install" => return Some(plain(Manager::EasyInstall, true)),
        "pyproject-build" => return Some(plain(Manager::Build, true)),
        "setup.py" => return Some(plain(Manager::Setuptools, verbs::setup_installs(args))),
        _ if is_pip(tool) => (Manager::Pip, &verbs::PIP),
        _ => return None,
    };
    let (installs, folder) = grammar.read(args);
    Some(Invocation {
        manager,
        installs,
        folder,
    })
}

/// pip, pip3, pip3.11
fn is_pip(tool: &str) -> bool {
    tool.strip_prefix("pip")
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn plain(manager: Manager, installs: bool) -> Invocation {
    Invocation {
        manager,
        installs,
        folder: None,
    }
}

/// Index of the script among an interpreter's arguments; none when the code is on the command line.
fn script_position(
    args: &[&str],
    with_value: &[&str],
    inline: impl Fn(&str) -> bool,
) -> Option<usize> {
    let mut at = 0;
    while at < args.len() {
        let arg = args[at];
        if arg == "--" {
            return (at + 1 < args.len()).then_some(at + 1);
        }
        if inline(arg) {
            return None;
        }
        if !arg.starts_with('-') || arg == "-" {
            return Some(at);
        }
        at += if with_value.contains(&arg) { 2 } else { 1 };
    }
    None
}

#[cfg(test)]
#[path = "installer_tests.rs"]
mod tests;
