//! Files taken away without a program: what is an event, under which name, and whose removal of what is
//! an alert.

use tests::{Scratch, Seen, Turn, Watched, fixture, need, require};

use crate::acts::{one, watch};

const SPAWNED: &str = "PackageInstallSpawnedSuspiciousProcess";
const RULE: &str = "execution/script-unlinks-itself.yml";

/// Runs a Python script in a folder of its own, which is its argument, under the rules that watch
/// `*.numbered`.
fn python(scratch: &Scratch, script: &str) -> Seen {
    let folder = scratch.tmp();
    watch(
        scratch,
        &["/usr/bin/python3", "-c", script, folder.to_str().unwrap()],
        "",
    )
}

#[test]
fn a_removal_is_one_event_with_the_whole_path_however_the_file_was_named() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = "import os, sys, time
folder = sys.argv[1]
os.chdir(folder)
os.makedirs('below')
os.symlink('below', 'alias')
for name in ('whole', 'cwd', 'fd', 'below/up', 'below/link', 'hard'):
    open(f'{name}.numbered', 'w').close()
os.link('hard.numbered', 'second.numbered')
directory = os.open(folder, os.O_DIRECTORY)
os.remove(f'{folder}/whole.numbered')
os.remove('cwd.numbered')
os.chdir('/')
os.remove('fd.numbered', dir_fd=directory)
os.remove('below/../below/up.numbered', dir_fd=directory)
os.remove('alias/link.numbered', dir_fd=directory)
os.remove('hard.numbered', dir_fd=directory)
# What `..` and a link lead to is looked up while the process is there.
time.sleep(0.5)
";
    let seen = python(&scratch, script);
    for name in ["whole", "cwd", "fd", "below/up", "below/link", "hard"] {
        let path = scratch.tmp().join(format!("{name}.numbered"));
        let path = path.to_str().unwrap();
        let event = one(&seen, "unlink", path);
        assert_eq!(event["place"]["observed"], "argument");
        let alerts = seen.alerts.iter().filter(|alert| {
            alert.text("/evidence/event") == "unlink" && alert.text("/file/path") == path
        });
        assert_eq!(alerts.count(), 1, "{path}\n{seen:?}");
    }
    assert_eq!(seen.capture.of("unlink").count(), 6, "{seen:?}");
    seen.complete();
}

#[test]
fn what_takes_no_file_away_is_no_removal() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = "import os, sys
folder = sys.argv[1]
directory = os.open(folder, os.O_DIRECTORY)
for name in ('a', 'b', 'c'):
    os.mkdir(f'{folder}/{name}.numbered')
os.rmdir(f'{folder}/a.numbered')
os.rmdir('b.numbered', dir_fd=directory)
# Not there; a folder; behind a file.
for name in ('missing.numbered', 'c.numbered', 'c.numbered/missing.numbered'):
    for attempt in (lambda: os.unlink(f'{folder}/{name}'), lambda: os.unlink(name, dir_fd=directory)):
        try:
            attempt()
            sys.exit(name)
        except OSError:
            pass
";
    let seen = python(&scratch, script);
    assert_eq!(seen.capture.of("unlink").count(), 0, "{seen:?}");
    seen.complete();
}

#[test]
fn a_removal_that_no_rule_asks_for_stays_in_the_kernel() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = "import os, sys
path = f'{sys.argv[1]}/plain'
open(path, 'w').close()
os.remove(path)
";
    let seen = python(&scratch, script);
    assert_eq!(seen.capture.of("unlink").count(), 0, "{seen:?}");
    seen.complete();
}

#[test]
fn a_removal_through_io_uring_names_its_file() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = fixture::act("io_uring.py");
    let path = scratch.write("tmp/gone.numbered", "");
    let path = path.to_str().unwrap();
    let rules = fixture::folder("rules/numbered");
    let line = ["/usr/bin/python3", script.to_str().unwrap(), "remove", path];
    let seen = Watched::run(&scratch, line)
        .options([
            "--no-default-rules".as_ref(),
            "--rules".as_ref(),
            rules.as_os_str(),
        ])
        .min_level("informational")
        .finish();
    if seen.code() == 77 {
        return require::skip(&format!("no io_uring here: {}", seen.stderr.trim()));
    }
    seen.ended_with(0).sums();
    let event = one(&seen, "io_uring", path);
    assert_eq!(event["operation"], "unlink");
    let mut alerts = seen.alerts.iter();
    assert!(
        alerts.any(|alert| alert.text("/file/operation") == "unlink"),
        "{seen:?}"
    );
}

/// Alerts on a package that erases itself: what was removed.
fn erased(seen: &Seen, package: &str) -> Vec<String> {
    let alerts = seen.alerts.iter();
    let own = alerts.filter(|alert| alert.text("/rule/file") == RULE);
    own.map(|alert| {
        assert_eq!(alert.branch(), SPAWNED, "{alert:?}");
        assert_eq!(alert.text("/level"), "medium", "{alert:?}");
        assert_eq!(alert.text("/package/name"), package, "{alert:?}");
        assert_eq!(alert.text("/evidence/event"), "unlink", "{alert:?}");
        alert.text("/file/path").to_owned()
    })
    .collect()
}

#[test]
fn a_postinstall_that_unlinks_its_own_script_is_an_alert_and_its_build_output_is_not() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let archive = fixture::npm_archive(&scratch, "erasing-postinstall");
    scratch.write(
        "project/package.json",
        r#"{"name":"app","version":"1.0.0"}"#,
    );
    let line = ["npm", "install", "--offline", "--no-audit", &archive];
    let seen = Watched::run(&scratch, line).finish();
    seen.ended_with(0).complete();
    let script = "node_modules/erasing-fixture/setup.js";
    assert!(!scratch.project().join(script).exists(), "{seen:?}");
    let path = scratch.project().join(script);
    assert_eq!(
        erased(&seen, "erasing-fixture"),
        [path.to_str().unwrap()],
        "{seen:?}"
    );
    assert_eq!(seen.alerts.len(), 1, "{seen:?}");
}

#[test]
fn a_setup_py_that_removes_itself_is_an_alert_and_pips_clearing_up_is_not() {
    need!(require::live(), require::python_build());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let archive = fixture::sdist(&scratch, "erasing-setup-py");
    let pip = fixture::venv_with_pip(&scratch).join("bin/pip");
    let pip = pip.to_str().unwrap();
    let line = [
        pip,
        "install",
        "--no-index",
        "--no-build-isolation",
        &archive,
    ];
    let seen = Watched::run(&scratch, line).finish();
    seen.ended_with(0).complete();
    let removed = erased(&seen, "erasing-fixture");
    let [path] = removed.as_slice() else {
        panic!("{removed:?}\n{seen:?}");
    };
    assert!(path.ends_with("/setup.py"), "{path}");
    assert_eq!(seen.alerts.len(), 1, "{seen:?}");
}

/// The manager itself takes hundreds of packages away, scripts and manifests with them.
#[test]
fn npm_ci_over_an_older_install_raises_nothing() {
    need!(require::live(), require::npm_registry());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    fixture::npm_project(&scratch, "honest-project");
    let install = |what| crate::quiet::install(&scratch, what, &["npm", "ci", "--prefer-offline"]);
    install("npm ci");
    let again = install("npm ci over it");
    let unlinked = again.capture.of("unlink").count();
    assert!(unlinked > 1000, "only {unlinked} removals\n{again:?}");
}
