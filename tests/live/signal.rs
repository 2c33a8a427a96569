//! `tests/quiet/packages`: many honest packages, each installed for itself by its own client, and
//! `docs/signal.md`, which says what was raised on each.
//!
//! Left out of the usual run, since it takes a quarter of an hour and the registries' goodwill.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tests::{Scratch, Seen, Turn, fixture, need, require};

use super::quiet;

const COMMAND: &str = "UPDATE_SIGNAL=1 cargo test -p tests --test live -- --ignored signal";
/// At once; each builds with all processors.
const WORKERS: usize = 2;

/// One line of the list.
#[derive(Debug)]
struct Package {
    client: String,
    name: String,
    options: Vec<String>,
}

fn list() -> Vec<Package> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("quiet/packages");
    fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            Package {
                client: words.next().unwrap(),
                name: words.next().unwrap(),
                options: words.collect(),
            }
        })
        .collect()
}

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/signal.md")
}

impl Package {
    fn key(&self) -> String {
        format!("| {} | {} |", self.client, self.name)
    }

    fn install(&self) -> Seen {
        let scratch = Scratch::new();
        // As projects are; and whoever looks for a repository finds this one, not the checkout above.
        fixture::unwatched(&scratch, &scratch.project(), &["git", "init", "-q", "."]);
        let (variables, options): (Vec<_>, Vec<_>) = self
            .options
            .iter()
            .partition(|option| option.contains('=') && !option.starts_with('-'));
        let mut line: Vec<String> = match self.client.as_str() {
            "npm" => {
                scratch.write(
                    "package.json",
                    r#"{"name": "project", "version": "1.0.0", "private": true}"#,
                );
                ["npm", "install", "--prefer-offline"]
                    .map(str::to_owned)
                    .to_vec()
            }
            "pip" => {
                let pip = fixture::venv(&scratch, &[]).join("bin/pip");
                vec![pip.display().to_string(), "install".to_owned()]
            }
            other => panic!("{other} is no client of the list"),
        };
        line.extend(options.into_iter().cloned());
        line.push(self.name.clone());
        let mut watched = quiet::watched(&scratch, &line).deadline(900);
        for variable in variables {
            let (name, value) = variable.split_once('=').unwrap();
            watched = watched.env(name, value);
        }
        watched.finish()
    }

    /// What is wrong with what was seen of it.
    fn wrong(&self, seen: &Seen) -> Option<String> {
        if seen.code() != 0 || seen.report["completeness"]["complete"] != true {
            return Some(format!("{}: {seen:?}", self.name));
        }
        // Whatever a variable did not leave out would show here.
        let strangers: Vec<_> = seen.report["connections"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|to| to["class"] == "public" && to["port"] != 53)
            .filter(|to| !to["domain"].as_str().is_some_and(is_registry))
            .collect();
        let loud: Vec<_> = seen
            .alerts
            .iter()
            .filter(|alert| alert.rank() >= tests::level_rank("medium"))
            .collect();
        let asked: Vec<_> = seen
            .alerts
            .iter()
            .filter(|alert| {
                alert
                    .text("/rule/file")
                    .ends_with("/dns-query-by-script.yml")
            })
            .collect();
        (!loud.is_empty() || !strangers.is_empty() || !asked.is_empty())
            .then(|| format!("{}: {loud:#?} {asked:#?} {strangers:?}", self.name))
    }

    fn row(&self, seen: &Seen) -> String {
        let count = |level: &str| {
            let at = |alert: &&tests::Alert| alert.text("/level") == level;
            seen.alerts.iter().filter(at).count()
        };
        let rules: BTreeSet<_> = seen
            .alerts
            .iter()
            .map(|alert| {
                let file = alert.text("/rule/file");
                let name = file.rsplit('/').next().unwrap_or(file);
                name.strip_suffix(".yml").unwrap_or(name).to_owned()
            })
            .collect();
        let suppressed: u64 = seen.report["suppressed"]
            .as_object()
            .into_iter()
            .flat_map(|filters| filters.values())
            .filter_map(serde_json::Value::as_u64)
            .sum();
        let loud = ["medium", "high", "critical"].map(count);
        format!(
            "{} {} | {} | {} | {} | {} | {} | {suppressed} | {} |\n",
            self.key(),
            self.options.join(" "),
            seen.report["processes"],
            seen.report["completeness"]["generated"],
            loud.iter().sum::<usize>(),
            count("low"),
            count("informational"),
            rules.into_iter().collect::<Vec<_>>().join(", ")
        )
    }
}

/// Whether a name is one of the hosts that packages come from.
fn is_registry(name: &str) -> bool {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/lists/package-hosts.yml");
    let list = fs::read_to_string(list).unwrap();
    let mut hosts = list.lines().filter_map(|line| line.strip_prefix("- "));
    hosts.any(|host| {
        name.strip_suffix(host)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// The rows of a page by their first two columns.
fn rows(page: &str) -> BTreeMap<String, String> {
    page.lines()
        .filter(|line| line.starts_with("| npm |") || line.starts_with("| pip |"))
        .map(|line| {
            let key: Vec<_> = line.splitn(4, '|').take(3).collect();
            (format!("{}|", key.join("|")), format!("{line}\n"))
        })
        .collect()
}

fn page(rows: &BTreeMap<String, String>) -> String {
    let list = list();
    let told: Vec<&String> = list.iter().filter_map(|p| rows.get(&p.key())).collect();
    let sum = |column: usize| -> u64 {
        let cell = |row: &&String| row.split('|').nth(column)?.trim().parse::<u64>().ok();
        told.iter().filter_map(cell).sum()
    };
    let mut text = String::from(
        "# Signal and noise\n\n\
         Honest packages, each installed for itself by its own client under `pkgwarden run` with the shipped \
         rules, at the\nlevel that a user sees and below. None may raise anything at medium or above, and none \
         may connect to a host that is\nno registry: for what would, the variable that it documents was set, or \
         its scripts were left out.\n\n\
         Not on the list, since they are found on purpose: packages that write hooks of git from a dependency's own \
         script\n(husky 4, lefthook) raise dependency-writes-git-hook, which is high. Current husky is run by the \
         project's own script, and is\nquiet.\n\n",
    );
    let _ = write!(
        text,
        "Made by `{COMMAND}` (as root),\nfrom `tests/quiet/packages`; without the variable it only checks. \
         The shorter list of every test run is `tests/live/quiet.rs`:\na project of hundreds of packages, \
         eleven with scripts, a native addon, wheels, a build from source, an upgrade of pip.\n\n\
         **{} packages: {} programs started, {} acts seen, {} alerts at medium or above, {} low, \
         {} informational; {} suppressed by filters.**\n\n",
        told.len(),
        sum(4),
        sum(5),
        sum(6),
        sum(7),
        sum(8),
        sum(9)
    );
    text.push_str(
        "| client | package | with | programs | acts | medium and above | low | informational | suppressed | rules |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    text.extend(told.into_iter().map(String::as_str));
    text
}

/// `PKGWARDEN_QUIET=WORD` takes only packages whose line holds it.
#[test]
#[ignore = "installs many packages from the registries, for a quarter of an hour"]
fn signal_of_many_honest_packages() {
    need!(
        require::live(),
        require::npm_registry(),
        require::pip_index(),
        require::programs(&["cc", "c++", "git", "make"])
    );
    let _turn = Turn::shared();
    let only = std::env::var("PKGWARDEN_QUIET").unwrap_or_default();
    let wanted = list().into_iter().filter(|p| p.key().contains(&only));
    let queue = Mutex::new(wanted.collect::<Vec<_>>().into_iter());
    let told = Mutex::new(rows(&fs::read_to_string(page_path()).unwrap_or_default()));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(package) = { queue.lock().unwrap().next() } {
                    let seen = package.install();
                    let row = package.row(&seen);
                    let why = package.wrong(&seen);
                    let mark = why.as_ref().map_or("", |_| "WRONG ");
                    let _ = std::io::stderr().write_all(format!("{mark}{row}").as_bytes());
                    match why {
                        Some(why) => wrong.lock().unwrap().push(why),
                        None => drop(told.lock().unwrap().insert(package.key(), row)),
                    }
                }
            });
        }
    });
    if std::env::var_os("UPDATE_SIGNAL").is_some() {
        fs::write(page_path(), page(&told.into_inner().unwrap())).unwrap();
    }
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_page_of_the_signal_has_a_row_for_each_package_of_the_list() {
    let told = fs::read_to_string(page_path()).unwrap_or_default();
    let rows = rows(&told);
    let known: BTreeSet<_> = list().iter().map(Package::key).collect();
    assert!(known.len() >= 60, "{} packages", known.len());
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), known);
    assert_eq!(
        told,
        page(&rows),
        "docs/signal.md is out of date; write it with\n  {COMMAND}"
    );
    for row in rows.values() {
        assert_eq!(row.split('|').nth(6).map(str::trim), Some("0"), "{row}");
    }
}
