//! The grammar of each package manager's command line, as far as the verb: which options stand
//! before it and take a value, and which verbs fetch or build packages.

/// node's own options that take the next argument.
pub(super) const NODE_VALUE_OPTIONS: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--env-file-if-exists",
    "--title",
    "--icu-data-dir",
    "--openssl-config",
    "--redirect-warnings",
    "--diagnostic-dir",
    "--input-type",
    "--stack-trace-limit",
    "--unhandled-rejections",
    "--dns-result-order",
    "--trace-event-categories",
    "--inspect-port",
];

/// How one manager's command line is read.
pub(super) struct Grammar {
    /// Options before the verb that take the next argument.
    value_options: &'static [&'static str],
    /// Of those, the ones that name the project's folder.
    folder_options: &'static [&'static str],
    /// Verbs that install, whole.
    verbs: &'static [&'static str],
    /// Verbs that install when the word after them is one of these.
    two_words: &'static [(&'static str, &'static [&'static str])],
    /// `x y VERB`: one word after the verb is a name, then the real verb follows.
    passes: &'static [(&'static str, usize)],
    /// npm takes any beginning of a command that is long enough to be told apart.
    abbreviations: bool,
    /// Without a verb it installs (yarn).
    bare: bool,
}

impl Grammar {
    /// Whether the verb installs, and the folder an option names.
    pub(super) fn read(&self, args: &[&str]) -> (bool, Option<String>) {
        let mut words = Vec::new();
        let mut folder = None;
        let mut shows_only = false;
        let mut at = 0;
        while at < args.len() {
            let arg = args[at];
            at += 1;
            if arg == "--" {
                words.extend(&args[at..]);
                break;
            }
            if !arg.starts_with('-') || arg == "-" {
                words.push(arg);
                continue;
            }
            shows_only |= matches!(arg, "--version" | "-v" | "-V" | "--help" | "-h");
            let (option, value) = match arg.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None if self.value_options.contains(&arg) => {
                    at += 1;
                    (arg, args.get(at - 1).copied())
                }
                None => (arg, None),
            };
            if self.folder_options.contains(&option)
                && let Some(value) = value
            {
                folder = Some(value.to_owned());
            }
        }
        (self.installs(&words, shows_only), folder)
    }

    fn installs(&self, words: &[&str], shows_only: bool) -> bool {
        let Some((&verb, rest)) = words.split_first() else {
            return self.bare && !shows_only;
        };
        if let Some(&(_, skip)) = self.passes.iter().find(|(pass, _)| *pass == verb) {
            return rest.len() > skip && self.installs(&rest[skip..], shows_only);
        }
        if let Some((_, second)) = self.two_words.iter().find(|(first, _)| *first == verb) {
            return rest.iter().any(|word| second.contains(word));
        }
        self.verbs.contains(&verb)
            || (self.abbreviations
                && verb.len() >= 3
                && self.verbs.iter().any(|full| full.starts_with(verb)))
    }
}

const NONE: Grammar = Grammar {
    value_options: &[],
    folder_options: &[],
    verbs: &[],
    two_words: &[],
    passes: &[],
    abbreviations: false,
    bare: false,
};

pub(super) const NPM: Grammar = Grammar {
    value_options: &[
        "--prefix",
        "-C",
        "--cache",
        "--registry",
        "--reg",
        "--userconfig",
        "--globalconfig",
        "--loglevel",
        "-w",
        "--workspace",
        "--omit",
        "--include",
        "--tag",
        "--before",
        "--script-shell",
        "--scope",
        "--node-options",
        "--otp",
        "--cpu",
        "--os",
        "--libc",
        "--location",
        "-L",
        "--install-strategy",
        "--ca",
        "--cafile",
        "--cert",
        "--key",
        "--proxy",
        "--https-proxy",
        "--http-proxy",
        "--noproxy",
        "--fetch-retries",
        "--fetch-timeout",
        "--maxsockets",
        "--user-agent",
        "--shell",
        "--depth",
        "-m",
        "--message",
        "--save-prefix",
        "--logs-dir",
        "--logs-max",
        "--umask",
        "--audit-level",
        "--editor",
        "--git",
        "--heading",
        "--package",
        "--preid",
        "--lockfile-version",
        "--local-address",
        "--nodedir",
        "--globalignorefile",
        "--min-release-age",
        "--only",
        "--color",
    ],
    folder_options: &["--prefix", "-C"],
    verbs: &[
        "install",
        "i",
        "in",
        "ins",
        "inst",
        "insta",
        "instal",
        "isnt",
        "isnta",
        "isntal",
        "isntall",
        "add",
        "ci",
        "clean-install",
        "ic",
        "install-clean",
        "isntall-clean",
        "install-test",
        "it",
        "install-ci-test",
        "cit",
        "clean-install-test",
        "sit",
        "update",
        "up",
        "upgrade",
        "udpate",
        "rebuild",
        "rb",
        "link",
        "ln",
        "dedupe",
        "ddp",
    ],
    two_words: &[("audit", &["fix"])],
    abbreviations: true,
    ..NONE
};

pub(super) const PNPM: Grammar = Grammar {
    value_options: &[
        "-C",
        "--dir",
        "--prefix",
        "--filter",
        "-F",
        "--filter-prod",
        "--store-dir",
        "--reporter",
        "--registry",
        "--loglevel",
        "--workspace-dir",
        "--modules-dir",
        "--virtual-store-dir",
        "--lockfile-dir",
        "--network-concurrency",
        "--child-concurrency",
        "--node-linker",
    ],
    folder_options: &["-C", "--dir", "--prefix"],
    verbs: &[
        "install",
        "i",
        "add",
        "update",
        "up",
        "upgrade",
        "rebuild",
        "rb",
        "link",
        "ln",
        "fetch",
        "import",
        "install-test",
        "it",
        "ci",
        "clean-install",
        "dedupe",
        "deploy",
        "approve-builds",
    ],
    passes: &[("recursive", 0), ("multi", 0), ("m", 0)],
    ..NONE
};

pub(super) const YARN: Grammar = Grammar {
    value_options: &[
        "--cwd",
        "--cache-folder",
        "--registry",
        "--mutex",
        "--modules-folder",
        "--use-yarnrc",
        "--global-folder",
        "--link-folder",
        "--network-timeout",
        "--network-concurrency",
        "--proxy",
        "--https-proxy",
        "--preferred-cache-folder",
    ],
    folder_options: &["--cwd"],
    verbs: &[
        "install",
        "add",
        "upgrade",
        "upgrade-interactive",
        "up",
        "ci",
        "rebuild",
        "dedupe",
        "import",
        "link",
    ],
    two_words: &[("workspaces", &["focus"])],
    passes: &[("global", 0), ("workspace", 1)],
    bare: true,
    ..NONE
};

pub(super) const BUN: Grammar = Grammar {
    value_options: &[
        "--cwd",
        "--config",
        "-c",
        "--registry",
        "--cache-dir",
        "--backend",
        "--filter",
    ],
    folder_options: &["--cwd"],
    verbs: &["install", "i", "add", "a", "update", "ci", "link"],
    two_words: &[("pm", &["trust"])],
    ..NONE
};

pub(super) const PIP: Grammar = Grammar {
    value_options: &[
        "--cache-dir",
        "--proxy",
        "--timeout",
        "--default-timeout",
        "--retries",
        "--trusted-host",
        "--cert",
        "--client-cert",
        "--log",
        "--log-file",
        "--local-log",
        "--python",
        "--exists-action",
        "--use-feature",
        "--use-deprecated",
        "--keyring-provider",
        "--resume-retries",
    ],
    verbs: &["install", "wheel", "download", "lock"],
    ..NONE
};

pub(super) const UV: Grammar = Grammar {
    value_options: &[
        "--directory",
        "--project",
        "--config-file",
        "--cache-dir",
        "-p",
        "--python",
        "--color",
        "--allow-insecure-host",
    ],
    folder_options: &["--directory", "--project"],
    verbs: &["sync", "add", "lock", "build"],
    two_words: &[
        ("pip", &["install", "sync", "compile"]),
        ("tool", &["install", "upgrade"]),
    ],
    ..NONE
};

pub(super) const POETRY: Grammar = Grammar {
    value_options: &["-C", "--directory", "-P", "--project"],
    folder_options: &["-C", "--directory", "-P", "--project"],
    verbs: &["install", "add", "update", "build", "sync", "lock"],
    two_words: &[("self", &["add", "update", "install", "sync"])],
    ..NONE
};

pub(super) const PIPX: Grammar = Grammar {
    verbs: &[
        "install",
        "install-all",
        "upgrade",
        "upgrade-all",
        "reinstall",
        "reinstall-all",
        "inject",
    ],
    ..NONE
};

pub(super) const PIPENV: Grammar = Grammar {
    value_options: &["--python", "--pypi-mirror"],
    verbs: &["install", "sync", "update", "upgrade", "lock"],
    ..NONE
};

/// `setup.py` takes several commands at once; any of these runs the package's build.
pub(super) fn setup_installs(args: &[&str]) -> bool {
    args.iter().any(|arg| {
        matches!(
            *arg,
            "install" | "develop" | "build" | "egg_info" | "editable_wheel" | "easy_install"
        ) || arg.starts_with("build_")
            || arg.starts_with("bdist_")
            || arg.starts_with("install_")
    })
}
