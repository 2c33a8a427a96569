//! Names of connections to real registries, by the registries' own clients: a measurement, which fetches some
//! thousand archives and is made only when it is asked for.
//!
//!     PKGWARDEN_NAMES=1 cargo test -p tests --test live real_names -- --nocapture

use pkgwarden::detect::lists;
use tests::{Scratch, Seen, Turn, Watched, fixture, need, require};

const WANTED: u64 = 200;
/// npm installs of hundreds of packages each, and how many connections npm may open for one.
const INSTALLS: usize = 6;
const SOCKETS: &str = "64";
const WHEELS: [&str; 12] = [
    "six",
    "idna",
    "attrs",
    "wheel",
    "packaging",
    "click",
    "colorama",
    "pluggy",
    "iniconfig",
    "toml",
    "zipp",
    "tomli",
];

fn asked_for() -> Result<(), String> {
    match std::env::var_os("PKGWARDEN_NAMES") {
        Some(_) => Ok(()),
        None => Err("it fetches much; PKGWARDEN_NAMES=1 makes it".to_owned()),
    }
}

/// How many connections there were, and how many by a name that is right.
fn count(seen: &Seen, right: impl Fn(&str) -> bool) -> (u64, u64) {
    let mut counted = (0, 0);
    for one in seen.connections(443) {
        let count = one["count"].as_u64().unwrap();
        counted.0 += count;
        match one["domain"].as_str() {
            Some(domain) if right(domain) => counted.1 += count,
            _ => println!("NAMES wrong: {one}"),
        }
    }
    counted
}

#[test]
fn connections_to_real_registries_have_the_name_that_their_client_is_configured_for() {
    need!(
        require::live(),
        asked_for(),
        require::npm_registry(),
        require::pip_index()
    );
    let _turn = Turn::shared();
    let hosts: pkgwarden::names::Suffixes = lists::trusted_hosts().into_iter().collect();
    let (mut all, mut right, mut runs) = (0, 0, 0);
    let mut add = |client: &str, (there, named): (u64, u64)| {
        println!("NAMES {client}: {named} of {there}");
        all += there;
        right += named;
        runs += 1;
        all
    };
    for name in WHEELS {
        let scratch = Scratch::new();
        let python = fixture::venv_with_pip(&scratch).join("bin/python");
        let line = [
            python.to_str().unwrap(),
            "-m",
            "pip",
            "download",
            "--no-cache-dir",
        ];
        let line = [&line[..], &["--no-deps", "--no-binary=:none:", name]].concat();
        let seen = Watched::run(&scratch, line).deadline(300).finish();
        seen.ended_with(0).complete();
        add("pip", count(&seen, |domain| hosts.hold(domain)));
    }
    for _ in 0..INSTALLS {
        let scratch = Scratch::new();
        fixture::npm_project(&scratch, "honest-project");
        let told = fixture::unwatched(
            &scratch,
            &scratch.project(),
            &["npm", "config", "get", "registry"],
        );
        let registry = String::from_utf8(told.stdout).unwrap();
        let registry = pkgwarden::names::origin(&registry).expect("npm has a registry");
        let line = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        let seen = Watched::run(&scratch, line)
            .env("npm_config_maxsockets", SOCKETS)
            .deadline(600)
            .finish();
        seen.ended_with(0).complete();
        if add("npm", count(&seen, |domain| *domain == *registry)) >= WANTED {
            break;
        }
    }
    println!("NAMES all: {right} of {all} connections in {runs} runs");
    assert!(all >= WANTED, "only {all} connections");
    assert_eq!(right, all);
}
