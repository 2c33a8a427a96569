//! `run` without privileges: the daemon watches for it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tests::{Daemon, Scratch, Seen, Turn, Watched, fixture, need, pkgwarden, require};

const NOBODY: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

/// Installs a package whose postinstall is this, as nobody, with the daemon at this socket.
fn install(scratch: &Scratch, control: &Path, postinstall: &str) -> Seen {
    let binary = scratch.out().join("pkgwarden");
    if !binary.exists() {
        fs::copy(pkgwarden(), &binary).unwrap();
        fs::set_permissions(&binary, Permissions::from_mode(0o755)).unwrap();
    }
    let archive = fixture::npm_archive_that_runs(scratch, postinstall);
    Watched::run(
        scratch,
        ["npm", "install", "--no-save", "--offline", &archive],
    )
    .binary(binary)
    .inside(NOBODY)
    .env("PKGWARDEN_CONTROL", control)
    // The one at home has become root's when the archive was made.
    .env("npm_config_cache", scratch.tmp().join("cache"))
    .fail_on("medium")
    .finish()
}

#[test]
fn a_run_without_privileges_is_watched_by_the_daemon_and_sees_what_is_its_own() {
    need!(require::live(), require::programs(&["npm", "setpriv"]));
    let _turn = Turn::shared();
    let place = Scratch::for_everyone();
    // A socket that others could have put there would not be trusted.
    fs::set_permissions(place.out(), Permissions::from_mode(0o755)).unwrap();
    let daemon = Daemon::start(&place, [""; 0]);
    let control: PathBuf = place.out().join("control");
    // As for a member of the group, which this machine may lack.
    fs::set_permissions(&control, Permissions::from_mode(0o666)).unwrap();

    let scratch = Scratch::for_everyone();
    install(&scratch, &control, "true")
        .ended_with(0)
        .complete()
        .quiet();

    // What root installs meanwhile is not nobody's.
    let others = Scratch::new();
    let archive = fixture::npm_archive_that_runs(&others, "whoami > /dev/null");
    let line = ["npm", "install", "--offline", &archive];
    let scratch = Scratch::for_everyone();
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| fixture::unwatched(&others, &others.project(), &line));
        install(&scratch, &control, "sleep 2; id > /dev/null")
    });
    seen.ended_with(86).sums();
    let project = scratch.project();
    for alert in &seen.alerts {
        let at = Path::new(alert.text("/install/working_directory"));
        assert_eq!(at, project, "{seen:?}");
        assert_eq!(
            alert.at("/process/user/id").as_u64(),
            Some(65534),
            "{alert:?}"
        );
    }
    let own = seen.alert(
        "PackageInstallSpawnedSuspiciousProcess",
        "medium",
        "on id",
        |alert| alert.text("/row/SubjectCmdLine") == "id",
    );
    assert_eq!(own.text("/package/name"), "hostile-fixture", "{own:?}");

    // The daemon has rules and eyes of its own, for both.
    for project in [project, others.project()] {
        let alert = daemon.alert("the same to the daemon", |alert| {
            Path::new(alert.text("/install/working_directory")) == project
        });
        assert_eq!(alert.text("/package/version"), "6.6.6", "{alert:?}");
    }
    daemon.stop();
}
