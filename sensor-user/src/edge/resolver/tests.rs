use std::fs;
use std::os::unix::fs::symlink;

use nix::fcntl::open;
use nix::sys::stat::Mode;

use super::*;
use crate::event::stage::place;

/// A root folder of its own.
struct Root(tempfile::TempDir);

impl Root {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    /// `host:port source`, of a command started in /p.
    fn read(&self, executable: &str, args: &[&str], environment: &str) -> Vec<String> {
        let root = open(self.0.path(), OFlag::O_PATH, Mode::empty()).unwrap();
        let exec = Exec {
            executable: place(executable),
            requested: executable.into(),
            args: args.iter().map(|&arg| arg.into()).collect(),
            working_directory: "/p".into(),
            ..Exec::default()
        };
        let variables = Variables::of(environment.replace(' ', "\0").as_bytes());
        let install = install(&exec).expect("it installs");
        let found = Reading::of(&root, &install, &variables).registries;
        found
            .iter()
            .map(|one| {
                let port = one.port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("{}{port} {}", one.host.escaped(), one.source.escaped())
            })
            .collect()
    }
}

const NPM: &[&str] = &["node", "/usr/bin/npm", "ci"];

#[test]
fn npm_is_told_of_registries_by_project_user_global_and_environment() {
    let root = Root::new(&[
        (
            "p/.npmrc",
            "; registry=https://no.example\nregistry=https://${WHO}:s3cret@one.example/npm/\n\
             @corp:registry = http://10.0.0.5:4873/\n//one.example/:_authToken=s3cret\n",
        ),
        ("p/package.json", "{}"),
        (
            "home/u/.npmrc",
            "proxy=http://u:s3cret@proxy.example:3128\n",
        ),
        ("usr/etc/npmrc", "registry=https://global.example\n"),
    ]);
    let environment = "HOME=/home/u WHO=me npm_config_registry=https://env.example:8443/ \
                       NPM_CONFIG_@x:registry=http://x.example https_proxy=p2.example:8080";
    let found = root.read("/usr/bin/node", NPM, environment);
    for expected in [
        "one.example npmrc /p/.npmrc",
        "10.0.0.5:4873 npmrc /p/.npmrc",
        "proxy.example:3128 npmrc /home/u/.npmrc",
        "global.example npmrc /usr/etc/npmrc",
        "env.example:8443 environment npm_config_registry",
        "x.example environment NPM_CONFIG_@x:registry",
        "p2.example:8080 environment https_proxy",
    ] {
        assert!(
            found.iter().any(|one| one == expected),
            "{expected}: {found:?}"
        );
    }
    assert_eq!(found.len(), 7);
    assert!(!format!("{found:?}").contains("s3cret"));
}

#[test]
fn a_command_names_a_registry_itself() {
    let root = Root::new(&[]);
    let args = [
        NPM,
        &[
            "--registry",
            "https://a.example",
            "--@x:registry=https://b.example",
        ],
    ]
    .concat();
    assert_eq!(
        root.read("/usr/bin/node", &args, ""),
        [
            "a.example argument --registry",
            "b.example argument --@x:registry"
        ]
    );
    let pip = [
        "python3",
        "-m",
        "pip",
        "install",
        "-i",
        "http://c.example:3141/",
        "x",
    ];
    assert_eq!(
        root.read("/usr/bin/python3.11", &pip, ""),
        ["c.example:3141 argument -i"]
    );
}

#[test]
fn the_other_managers_of_node_packages_have_files_of_their_own() {
    let root = Root::new(&[
        (
            "p/.yarnrc.yml",
            "npmScopes:\n  corp:\n    npmRegistryServer: \"https://${H:-berry.example}/\"\n",
        ),
        ("p/.yarnrc", "registry \"https://classic.example\"\n"),
        (
            "p/bunfig.toml",
            "[install]\nregistry = \"https://bun.example\"\n\
             [install.scopes]\nx = { url = \"https://scope.example\", token = \"s3cret\" }\n",
        ),
    ]);
    let found = root.read("/usr/bin/node", &["node", "/usr/bin/yarn", "install"], "");
    assert_eq!(
        found,
        [
            "berry.example yarnrc /p/.yarnrc.yml",
            "classic.example yarnrc /p/.yarnrc",
            "bun.example bunfig /p/bunfig.toml",
            "scope.example bunfig /p/bunfig.toml",
        ]
    );
}

/// pnpm has its settings in the file of the workspace; those of a workspace hold in its folders.
#[test]
fn a_workspace_names_registries_for_the_packages_in_it() {
    let root = Root::new(&[
        (
            "pnpm-workspace.yaml",
            "packages:\n  - p\n# registry: https://no.example\nregistry: https://one.example/ # ours\n\
             registries:\n  default: https://two.example/\n  '@corp': \"http://10.0.0.5:4873/\"\n\
             overrides:\n  a: https://no.example/a.tgz\n\
             '@x:registry': https://three.example\nhttpsProxy: http://u:s3cret@proxy.example:3128\n",
        ),
        (".npmrc", "registry=https://four.example\n"),
        ("p/package.json", "{}"),
        ("x/pnpm/rc", "@y:registry=https://five.example\n"),
        ("x/pnpm/config.yaml", "registry: https://six.example\n"),
        ("etc/yarnrc", "registry \"https://seven.example\"\n"),
    ]);
    let args = ["node", "/usr/bin/pnpm", "install"];
    let found = root.read("/usr/bin/node", &args, "XDG_CONFIG_HOME=/x");
    assert_eq!(
        found,
        [
            "four.example npmrc /.npmrc",
            "five.example npmrc /x/pnpm/rc",
            "one.example pnpm /pnpm-workspace.yaml",
            "two.example pnpm /pnpm-workspace.yaml",
            "10.0.0.5:4873 pnpm /pnpm-workspace.yaml",
            "three.example pnpm /pnpm-workspace.yaml",
            "proxy.example:3128 pnpm /pnpm-workspace.yaml",
            "six.example pnpm /x/pnpm/config.yaml",
            "seven.example yarnrc /etc/yarnrc",
        ]
    );
}

#[test]
fn a_file_of_requirements_and_the_settings_of_uv_name_indexes_too() {
    let root = Root::new(&[
        (
            "p/req.txt",
            "# --index-url https://no.example\n--index-url https://u:s3cret@one.example/simple\n\
             --extra-index-url=http://two.example:3141\nx==1.0 --hash=sha256:00\n",
        ),
        (
            "c/uv.toml",
            "index-url = \"https://three.example/simple\"\n",
        ),
        (
            "x/uv/uv.toml",
            "[[index]]\nurl = \"https://four.example\"\n",
        ),
        (
            "etc/xdg/uv/uv.toml",
            "[pip]\nextra-index-url = [\"https://five.example\"]\n",
        ),
    ]);
    let args = ["python3", "-m", "pip", "install", "-r", "req.txt"];
    let environment =
        "XDG_CONFIG_HOME=/x UV_CONFIG_FILE=/c/uv.toml UV_INDEX_URL=https://six.example";
    assert_eq!(
        root.read("/usr/bin/python3.11", &args, environment),
        [
            "six.example environment UV_INDEX_URL",
            "one.example requirements /p/req.txt",
            "two.example:3141 requirements /p/req.txt",
            "three.example uv.toml /c/uv.toml",
            "four.example uv.toml /x/uv/uv.toml",
            "five.example uv.toml /etc/xdg/uv/uv.toml",
        ]
    );
}

#[test]
fn pip_uv_and_poetry_are_told_of_indexes_by_their_files_and_environment() {
    let root = Root::new(&[
        (
            "etc/pip.conf",
            "[global]\nindex-url = https://u:s3cret@one.example/simple\nextra-index-url =\n    \
             https://two.example\n    http://three.example:3141\ntimeout = 5\n",
        ),
        ("v/pip.conf", "[install]\nproxy = proxy.example:3128\n"),
        (
            "p/pyproject.toml",
            "[[tool.uv.index]]\nname = \"x\"\nurl = \"https://uv.example/simple\"\n\
             [[tool.poetry.source]]\nname = \"y\"\nurl = \"https://poetry.example\"\n",
        ),
        (
            "p/uv.toml",
            "extra-index-url = [\"https://four.example\"]\n",
        ),
    ]);
    let environment = "VIRTUAL_ENV=/v PIP_EXTRA_INDEX_URL=https://five.example \
                       UV_INDEX=six=https://six.example UV_DEFAULT_INDEX=https://seven.example";
    let args = ["python3", "-m", "pip", "install", "x"];
    let found = root.read("/usr/bin/python3.11", &args, environment);
    let hosts: Vec<_> = found
        .iter()
        .map(|one| one.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        hosts,
        [
            "five.example",
            "seven.example",
            "six.example",
            "one.example",
            "two.example",
            "three.example:3141",
            "proxy.example:3128",
            "four.example",
            "uv.example",
            "poetry.example",
        ]
    );
}

#[test]
fn a_link_out_of_the_root_and_a_huge_file_tell_nothing() {
    let root = Root::new(&[("p/package.json", "{}")]);
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("npmrc");
    fs::write(&secret, "registry=https://outside.example\n").unwrap();
    symlink(&secret, root.0.path().join("p/.npmrc")).unwrap();
    fs::create_dir(root.0.path().join("etc")).unwrap();
    let huge = format!("registry=https://a.example\n{}", "#\n".repeat(200_000));
    fs::write(root.0.path().join("etc/npmrc"), huge).unwrap();
    assert!(root.read("/usr/bin/node", NPM, "").is_empty());
}

#[test]
fn a_lineage_is_asked_about_at_its_first_program_and_an_install_always() {
    let process = ProcessKey { pid: 5, start: 5 };
    let event = |pid: u32, args: &[&str]| Event {
        time: 1,
        cpu: 0,
        sequence: 1,
        body: Body::Exec {
            actor: crate::event::Actor {
                process: ProcessKey { pid, start: 5 },
                tid: pid,
                uid: 0,
                cgroup: 0,
                root: process,
            },
            exec: Box::new(Exec {
                executable: place("/usr/bin/node"),
                args: args.iter().map(|&arg| arg.into()).collect(),
                ..Exec::default()
            }),
        },
    };
    let mut seen = Seen::default();
    let first = seen.asked(&event(5, &["node", "x.js"])).unwrap();
    assert!(first.install.is_none());
    assert!(seen.asked(&event(5, &["node", "x.js"])).is_none());
    assert!(seen.asked(&event(6, &["node", "x.js"])).is_none());
    assert!(seen.asked(&event(6, NPM)).unwrap().install.is_some());
}
