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
        None => named(name, rest),
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
mod tests {
    use super::*;

    fn words(line: &str) -> Option<(&'static str, bool)> {
        let args: Vec<&str> = line.split(' ').collect();
        let executable = format!("/usr/bin/{}", basename(args[0]));
        recognise(&executable, &args).map(|i| (i.manager.name(), i.installs))
    }

    #[test]
    fn installs_are_recognised_however_the_manager_is_started() {
        for (line, manager) in [
            ("node /usr/bin/npm ci", "npm"),
            (
                "node /usr/lib/node_modules/npm/bin/npm-cli.js install left",
                "npm",
            ),
            ("node --max-old-space-size=4096 /usr/bin/npm i", "npm"),
            ("node -r ./hook.js /usr/bin/npm i", "npm"),
            ("node /usr/bin/npm --prefix x ci", "npm"),
            ("node /usr/bin/npm -C x --silent add y", "npm"),
            ("node /usr/bin/npm --no-audit isntall y", "npm"),
            ("node /usr/bin/npm --workspace a rebuild", "npm"),
            ("node /usr/bin/npm clean-inst", "npm"),
            ("node /usr/bin/npm audit fix", "npm"),
            ("python3.11 -m pip install x", "pip"),
            ("python3 -I -m pip install x", "pip"),
            ("python3 -Im pip install x", "pip"),
            (
                "python3 -W ignore -X dev -m pip --no-input install x",
                "pip",
            ),
            (
                "python3 /home/a/.pyenv/versions/3.11.7/bin/pip install x",
                "pip",
            ),
            ("python3 /usr/bin/pip3 --proxy install wheel x", "pip"),
            ("python3 /usr/bin/pip3.11 download x", "pip"),
            ("pip install x", "pip"),
            (
                "python3 /v/lib/python3.11/site-packages/pip/__pip-runner__.py install x",
                "pip",
            ),
            (
                "python3 /v/lib/python3.11/site-packages/pip/__main__.py install x",
                "pip",
            ),
            ("python setup.py install", "setuptools"),
            ("python setup.py --quiet build_ext --inplace", "setuptools"),
            ("python ./setup.py bdist_wheel", "setuptools"),
            ("python -m build .", "build"),
            ("node /opt/pnpm/bin/pnpm.cjs --dir x install", "pnpm"),
            ("pnpm add x", "pnpm"),
            ("node /p/.yarn/releases/yarn-4.5.0.cjs", "yarn"),
            ("node /usr/bin/yarn --frozen-lockfile", "yarn"),
            ("node /usr/bin/yarn global add x", "yarn"),
            ("node /usr/bin/yarn workspace a add x", "yarn"),
            ("node /usr/bin/corepack pnpm@9 install", "pnpm"),
            ("bun.exe --cwd x add y", "bun"),
            ("uv pip install x", "uv"),
            ("uv tool install x", "uv"),
            ("python3 -m uv add x", "uv"),
            ("python3 /usr/bin/poetry -C x install", "poetry"),
            ("python3 /usr/bin/pipx install x", "pipx"),
            ("python3 /usr/bin/pipenv sync", "pipenv"),
        ] {
            assert_eq!(words(line), Some((manager, true)), "{line}");
        }
    }

    #[test]
    fn running_a_script_of_the_project_is_no_install() {
        for (line, manager) in [
            ("node /usr/bin/npm run build", "npm"),
            ("node /usr/bin/npm run install", "npm"),
            ("node /usr/bin/npm test", "npm"),
            ("node /usr/bin/npm exec cowsay", "npm"),
            (
                "node /usr/lib/node_modules/npm/bin/npx-cli.js cowsay",
                "npm",
            ),
            ("node /usr/bin/npx cowsay install", "npm"),
            ("node /usr/bin/npm --prefix install run x", "npm"),
            ("node /usr/bin/npm --version", "npm"),
            ("node /usr/bin/npm audit", "npm"),
            ("node /usr/bin/npm -- run install", "npm"),
            ("node /usr/bin/yarn build", "yarn"),
            ("node /usr/bin/yarn --version", "yarn"),
            ("pip list", "pip"),
            ("pip --log install list", "pip"),
            ("uv run x", "uv"),
            ("uv pip list", "uv"),
            ("bun run install", "bun"),
            ("python setup.py --version", "setuptools"),
        ] {
            assert_eq!(words(line), Some((manager, false)), "{line}");
        }
    }

    #[test]
    fn a_command_line_that_only_mentions_an_install_is_no_manager() {
        assert_eq!(
            recognise("/usr/bin/dash", &["sh", "-c", "npm install x && whoami"]),
            None
        );
        for line in [
            "node -e npm install",
            "node server.js npm install",
            "python3 -c pip install",
            "python3 tool.py pip install",
            "echo npm install",
            "python3 -m http.server install",
            "pipeline install",
        ] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn the_project_folder_is_the_one_an_option_names() {
        let folder = |args: &[&str]| recognise("/usr/bin/node", args).and_then(|i| i.folder);
        assert_eq!(
            folder(&["node", "/usr/bin/npm", "--prefix", "x", "ci"]).as_deref(),
            Some("x")
        );
        assert_eq!(
            folder(&["node", "/usr/bin/npm", "ci", "--prefix=y"]).as_deref(),
            Some("y")
        );
        assert_eq!(folder(&["node", "/usr/bin/npm", "ci"]), None);
    }

    #[test]
    fn interpreters_are_told_by_the_name_of_the_file_that_runs() {
        assert_eq!(interpreter("nodejs"), Some(Interpreter::Node));
        assert_eq!(interpreter("node20"), Some(Interpreter::Node));
        assert_eq!(interpreter("python3.13t"), Some(Interpreter::Python));
        assert_eq!(interpreter("pypy3.10"), Some(Interpreter::Python));
        assert_eq!(interpreter("node_exporter"), None);
        assert_eq!(interpreter("python-config"), None);
        assert_eq!(interpreter("nodemon"), None);
    }
}
