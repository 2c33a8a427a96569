//! What a user does about an alert that is all right: `allow` it, and see what is silent from then on.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use tests::{Alert, Daemon, Scratch, Turn, need, pkgwarden, require};

use crate::daemon::{install, own};

/// Asks the daemon of this test, as the user would.
fn ask(scratch: &Scratch, words: &[&str]) -> Output {
    let control: OsString = scratch.out().join("control").into();
    let output = Command::new(pkgwarden())
        .args(words)
        .env("PKGWARDEN_CONTROL", control)
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    output
}

/// The package is installed as if it never had been.
fn install_again(scratch: &Scratch, postinstall: &str) {
    for name in ["node_modules", "package-lock.json"] {
        let path = scratch.project().join(name);
        let _ = fs::remove_dir_all(&path);
        let _ = fs::remove_file(&path);
    }
    install(scratch, postinstall).succeeds();
}

#[test]
fn an_allowed_alert_is_silent_from_the_reload_on_and_shown_as_suppressed() {
    need!(require::live(), require::programs(&["npm"]));
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let filters = scratch.tmp().join("filters");
    fs::create_dir(&filters).unwrap();
    let options = ["--filters".as_ref(), filters.as_os_str()];
    let mut daemon = Daemon::start(&scratch, options);
    let looked_at = "id > /dev/null; : looked-at";
    install(&scratch, looked_at).succeeds();
    let alert = daemon.alert("the postinstall", own(&scratch, ": looked-at"));
    daemon.session(alert.text("/install/id"), |_| true);

    let filter = ask(&scratch, &["allow", alert.text("/id")]);
    let proof = String::from_utf8_lossy(&filter.stderr);
    assert!(proof.contains("silent"), "{proof}");
    fs::write(filters.join("looked-at.yml"), &filter.stdout).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.is_told("READY=1");

    install_again(&scratch, looked_at);
    install_again(&scratch, "id > /dev/null; : another");
    let rule = alert.text("/rule/id").to_owned();
    let of = |word: &'static str, install: &'static str| {
        let (own, rule) = (own(&scratch, word), rule.clone());
        let known = alert.text("/install/id").to_owned();
        move |alert: &Alert| {
            own(alert)
                && alert.text("/rule/id") == rule
                && (install == "any" || alert.text("/install/id") != known)
        }
    };
    let other = daemon.alert("what nobody allowed", of(": another", "any"));
    daemon.session(other.text("/install/id"), |_| true);
    let again = daemon.alerts().into_iter().find(of(": looked-at", "new"));
    assert!(again.is_none(), "{again:?}");

    let shown = |words: &[&str]| {
        let output = ask(&scratch, &[words, &["--format", "json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let alerts = text
            .lines()
            .map(|line| Alert(serde_json::from_str(line).unwrap()));
        alerts
            .filter(of(": looked-at", "new"))
            .collect::<Vec<Alert>>()
    };
    assert!(shown(&["alerts"]).is_empty());
    let [suppressed] = &shown(&["alerts", "--suppressed"])[..] else {
        panic!("not one: {:?}", shown(&["alerts", "--suppressed"]));
    };
    let id = suppressed.text("/evidence/suppressed_by");
    let filter = String::from_utf8(filter.stdout).unwrap();
    assert!(filter.contains(id), "{suppressed:?}\n{filter}");
    let session = daemon.session(suppressed.text("/install/id"), |_| true);
    assert!(session["suppressed"][id].as_u64() >= Some(1), "{session:#}");
    daemon.stop();
}
