//! The surroundings of a replica: a home with nothing of worth in it, stand-ins for tools that a machine may
//! lack, and an outside world that is this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Background, NetworkNamespace, Scratch, Seen, Watched, fixture, pkgwarden, require};

const HOME: &str = "/home/runner";
pub(super) const PROJECT: &str = "/home/runner/app";
/// What names lead to; where trusted names lead to; nobody's name; the machine's own metadata.
const ADDRESSES: [&str; 4] = [
    "45.33.32.156",
    "45.33.32.157",
    "45.33.32.158",
    "169.254.169.254",
];
const SECRETS: &[&str] = &[
    ".npmrc",
    ".netrc",
    ".env",
    ".gitconfig",
    ".bash_history",
    ".bashrc",
    ".zshrc",
    ".aws/credentials",
    ".ssh/id_ed25519",
    ".kube/config",
    ".config/gh/hosts.yml",
    ".config/solana/id.json",
    ".config/google-chrome/Default/Login Data",
    ".config/google-chrome/Default/Local Extension Settings/nkbihfbeogaeaoehlefnkodbefgpgknn/000003.log",
    ".local/share/keyrings/login.keyring",
];
/// The start of one is real, what it does is nothing.
const TOOLS: &[&str] = &[
    "claude",
    "docker",
    "gemini",
    "gh",
    "q",
    "systemctl",
    "trufflehog",
];
const PROGRAMS: &[&str] = &[
    "ip", "nsenter", "unshare", "npm", "node", "curl", "wget", "pgrep", "openssl", "perl", "tar",
];

/// What the replicas need of the machine.
pub(super) fn possible() -> Result<(), String> {
    require::live()?;
    require::python_build()?;
    require::programs(PROGRAMS)
}

/// A file of `tests/attacks`.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("attacks")
        .join(name)
}

/// Some host of the list of package hosts that is a forge, too: attacks use it, since it is trusted.
fn forge() -> String {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/lists/package-hosts.yml");
    let list = fs::read_to_string(list).unwrap();
    let mut hosts = list.lines().filter_map(|line| line.strip_prefix("- "));
    let forge = hosts.find(|host| host.starts_with("git"));
    forge
        .expect("a forge is on the list of package hosts")
        .to_owned()
}

/// One replica's surroundings, gone with it.
pub(super) struct Stage {
    scratch: Scratch,
    network: NetworkNamespace,
    forge: String,
    /// As the CI worker is called; it holds nothing.
    worker: Background,
    _world: Background,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(SECRETS)
    }

    /// A home with only these files in it.
    pub(super) fn with(secrets: &[&str]) -> Self {
        let scratch = Scratch::for_everyone();
        let root = scratch.project().parent().unwrap().to_owned();
        let put = |path: PathBuf, text: &str, mode: u32| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let home = scratch.home();
        for secret in secrets {
            put(home.join(secret), "# nothing\n", 0o600);
        }
        // Without it no replica does anything.
        put(home.join(".a-decoy"), "", 0o600);
        for tool in TOOLS {
            put(
                home.join("tools/bin").join(tool),
                "#!/bin/sh\nexit 0\n",
                0o755,
            );
        }
        put(
            home.join("tools/bin/sudo"),
            "#!/bin/sh\nexec \"$@\"\n",
            0o755,
        );
        for (name, text) in [
            ("resolv.conf", format!("nameserver {}\n", ADDRESSES[0])),
            ("hosts", "127.0.0.1 localhost\n".to_owned()),
            ("nsswitch.conf", "hosts: files dns\n".to_owned()),
        ] {
            put(root.join("etc").join(name), &text, 0o644);
        }
        let forge = forge();
        certificate(&root.join("tls.pem"), &forge);
        let served = root.join("served");
        fixture::copy(&source("served"), &served);
        fs::copy("/bin/true", served.join("runner")).unwrap();
        let python = |script: &str, args: &[&Path]| {
            let output = Command::new("/usr/bin/python3")
                .arg(source(script))
                .args(args)
                .output()
                .unwrap();
            assert!(output.status.success(), "{script}: {output:?}");
        };
        python("ringtone.py", &[&served.join("ringtone.wav")]);

        let network = NetworkNamespace::with_addresses(&ADDRESSES);
        let ready = root.join("ready");
        let mut serve = network.enter();
        serve.extend([
            "/usr/bin/python3".into(),
            source("server.py").display().to_string(),
            served.display().to_string(),
            forge.clone(),
            ready.display().to_string(),
        ]);
        let world = Background::start(&scratch, serve);
        world.until("the replicas' server listens", || ready.exists());
        let worker = Background::start(&scratch, ["bash", "-c", "exec -a Runner.Worker sleep 600"]);
        Self {
            scratch,
            network,
            forge,
            worker,
            _world: world,
        }
    }

    /// What to put before a command so that it runs here.
    fn enter(&self) -> Vec<String> {
        let mut line = self.network.enter();
        line.extend(["unshare", "--mount", "--propagation", "private", "sh"].map(str::to_owned));
        line.extend([
            source("stage.sh").display().to_string(),
            self.scratch
                .project()
                .parent()
                .unwrap()
                .display()
                .to_string(),
            pkgwarden().display().to_string(),
        ]);
        line
    }

    fn environment(&self) -> Vec<(String, String)> {
        let certificate = self.scratch.project().parent().unwrap().join("tls.pem");
        let certificate = certificate.display().to_string();
        let mut environment: Vec<(String, String)> = [
            ("HOME", HOME),
            (
                "PATH",
                "/home/runner/tools/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            ),
            ("USER", "root"),
            ("LANG", "C.UTF-8"),
            ("npm_config_update_notifier", "false"),
            ("npm_config_audit", "false"),
            ("npm_config_fund", "false"),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("PIP_NO_INDEX", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("FORGE", &self.forge),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        for name in ["CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
            environment.push((name.to_owned(), certificate.clone()));
        }
        environment.push(("WORKER".to_owned(), self.worker.pid().to_string()));
        environment
    }

    /// Runs a command unwatched; gives what it printed.
    fn unwatched(&self, line: &[&str]) -> String {
        let enter = self.enter();
        let output = Command::new(&enter[0])
            .args(&enter[1..])
            .args(line)
            .env_clear()
            .envs(self.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{line:?}\n{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Packs packages of npm; gives their archives in the project.
    pub(super) fn npm(&self, replicas: &[&str]) -> Vec<String> {
        self.scratch.write(
            "package.json",
            r#"{"name": "app", "version": "1.0.0", "private": true}"#,
        );
        let pack = |replica: &&str| {
            self.put(replica);
            let folder = format!("../package/{replica}");
            let line = ["npm", "pack", "--offline", "--silent", &folder];
            format!("./{}", self.unwatched(&line))
        };
        replicas.iter().map(pack).collect()
    }

    /// Makes an environment, and packs a wheel, or a source distribution where the replica has a `setup.py`.
    pub(super) fn pip(&self, replica: &str) -> String {
        self.put(replica);
        let builds = source(replica).join("setup.py").exists();
        let mut environment = vec!["/usr/bin/python3", "-m", "venv", ".venv"];
        if builds {
            environment.push("--system-site-packages");
        }
        self.unwatched(&environment);
        let folder = format!("../package/{replica}");
        if builds {
            let line = format!("cd {folder} && python3 setup.py -q sdist -d {PROJECT} >&2");
            self.unwatched(&["sh", "-c", &line]);
            return self.unwatched(&["sh", "-c", "ls ./*.tar.gz"]);
        }
        let pack = fs::read(source("wheel.py")).unwrap();
        fs::write(self.scratch.home().join("package/wheel.py"), pack).unwrap();
        self.unwatched(&["/usr/bin/python3", "../package/wheel.py", &folder, "."])
    }

    /// Puts a replica's files beside the project; gives where they lie.
    pub(super) fn put(&self, replica: &str) -> String {
        let folder = self.scratch.home().join("package").join(replica);
        fixture::copy(&source(replica), &folder);
        format!("{HOME}/package/{replica}")
    }

    /// A shell with the name of a CI worker: what it starts are steps.
    pub(super) fn worker(&self) -> String {
        let folder = self.scratch.home().join("actions-runner/bin");
        fs::create_dir_all(&folder).unwrap();
        fs::copy("/bin/bash", folder.join("Runner.Worker")).unwrap();
        format!("{HOME}/actions-runner/bin/Runner.Worker")
    }

    /// Writes a file of the project.
    pub(super) fn write(&self, name: &str, text: &str) {
        self.scratch.write(name, text);
    }

    /// Runs it under watch, to its end.
    pub(super) fn watch(&self, line: &[&str], more: &[(&str, &str)]) -> Seen {
        let mut watched = Watched::run(&self.scratch, line)
            .binary(self.scratch.out().join("pkgwarden"))
            .only(self.environment())
            .min_level("informational")
            .inside(self.enter());
        for (name, value) in more {
            watched = watched.env(name, value);
        }
        watched.finish()
    }
}

/// One for every name that the replicas speak to over https, and its key.
fn certificate(pem: &Path, forge: &str) {
    let names = format!(
        "subjectAltName=DNS:{forge},DNS:*.{forge},DNS:c2.example,DNS:bun.sh,DNS:webhook.site,DNS:discord.com,\
         DNS:api.telegram.org"
    );
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=replicas", "-addext", &names, "-keyout"])
        .arg(pem)
        .arg("-out")
        .arg(pem.with_extension("cert"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut whole = fs::read(pem).unwrap();
    whole.extend(fs::read(pem.with_extension("cert")).unwrap());
    fs::write(pem, whole).unwrap();
}
