//! How package managers are recognised.

use super::*;
use crate::event::Body;
use crate::event::stage::Stage;
use crate::lineage::Lineage;

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
        ("bun --cwd x add y", "bun"),
        ("bun.exe --cwd x add y", "bun"),
        ("uv pip install x", "uv"),
        ("uv --directory x sync", "uv"),
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
    assert_eq!(interpreter("bun.exe"), Some(Interpreter::AllInOne));
    assert_eq!(interpreter("deno"), Some(Interpreter::AllInOne));
    assert_eq!(interpreter("bundle"), None);
    assert_eq!(interpreter("node_exporter"), None);
    assert_eq!(interpreter("python-config"), None);
    assert_eq!(interpreter("nodemon"), None);
}

#[test]
fn bun_runs_libraries_unless_it_installs() {
    let scope = |line: &[&str]| {
        let mut stage = Stage::new("x");
        let bun = stage.root;
        stage.exec(bun, "/usr/local/bin/bun", line, "/home/dev/app", &[]);
        let mut lineage = Lineage::default();
        for event in &stage.events {
            if let Body::Exec { actor, exec } = &event.body {
                lineage.exec(actor, exec, event.time);
            }
        }
        lineage.get(bun).unwrap().context.scope()
    };
    assert_eq!(scope(&["bun", "app.js"]), Some("|runtime|"));
    assert_eq!(scope(&["bun", "add", "left"]), Some("|install|"));
}
