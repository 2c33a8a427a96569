//! `docs/attacks.md`: each attack, act by act, with what was raised and what was not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Attack, npm, pip, worms};

const COMMAND: &str = "UPDATE_ATTACKS=1 cargo test -p tests --test live attacks";

const ORDER: [&Attack; 13] = [
    &worms::SHAI_HULUD,
    &worms::SHAI_HULUD_2,
    &worms::TOKEN_MONITOR,
    &npm::S1NGULARITY,
    &npm::AXIOS,
    &npm::UA_PARSER,
    &npm::BEAVERTAIL,
    &pip::LITELLM,
    &pip::TELNYX,
    &pip::ULTRALYTICS,
    &pip::TORCHTRITON,
    &pip::TYPOSQUATS,
    &pip::WORKER_MEMORY,
];

/// One writer at a time, of the tests that run at once.
static WRITING: Mutex<()> = Mutex::new(());

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/attacks.md")
}

fn head() -> String {
    format!(
        "# Attacks\n\n\
         What real attacks did on Linux hosts, done again without harm: packages of `tests/attacks`, \
         installed by real npm and pip or\nimported by real node and python, under `pkgwarden run` with \
         the shipped rules. The servers, names and addresses are the\ntest's own. Every alert of each \
         run stands here, and named the attack's package and no other (what pip itself did, when it unpacked a \
         wheel, names none);\nwhat was not seen is said.\n\n\
         Made by `{COMMAND}` (as root), which checks it otherwise.\n"
    )
}

/// The folder in which a rule's file lies.
fn link(name: &str) -> String {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let folders = [
        "execution",
        "callback",
        "persistence",
        "credentials",
        "chains",
    ];
    let folder = folders
        .iter()
        .find(|folder| rules.join(folder).join(format!("{name}.yml")).is_file())
        .unwrap_or_else(|| panic!("no rule {name}"));
    format!("[{name}](../rules/{folder}/{name}.yml)")
}

/// The attack's own table, from the rules and levels that were raised.
fn section(attack: &Attack, raised: &BTreeMap<&str, &str>) -> String {
    let highest = raised.values().max_by_key(|level| tests::level_rank(level));
    let mut text = format!(
        "\n## {}\n\n{}; `tests/attacks/{}`. Highest level: **{}**.\n\n",
        attack.title,
        attack.how,
        attack.replica,
        highest.expect("something was raised")
    );
    text.push_str("| it | raises | not seen |\n| --- | --- | --- |\n");
    for act in attack.acts {
        let mut rules = Vec::new();
        for (name, _) in act.found {
            if let Some(level) = raised.get(name) {
                rules.push(format!("{} {level}", link(name)));
            }
        }
        let what = act.what.replace('|', "\\|");
        let unseen = match (act.unseen, act.found.is_empty()) {
            (Some(why), true) => format!("nothing: {why}"),
            (Some(why), false) => why.to_owned(),
            (None, _) => String::new(),
        };
        let _ = writeln!(text, "| {what} | {} | {unseen} |", rules.join(", "));
    }
    text
}

/// The sections of a page, by their headings.
fn sections(page: &str) -> BTreeMap<String, String> {
    page.split("\n## ")
        .skip(1)
        .map(|part| {
            let title = part.lines().next().unwrap_or_default().to_owned();
            let text = format!("\n## {}\n", part.trim_end());
            (title, text)
        })
        .collect()
}

/// Checks what the page says of an attack, or writes it.
pub(super) fn keep(attack: &Attack, raised: &BTreeMap<&str, &str>) {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let section = section(attack, raised);
    let mut page = sections(&fs::read_to_string(path()).unwrap_or_default());
    if std::env::var_os("UPDATE_ATTACKS").is_some() {
        page.insert(attack.title.to_owned(), section.clone());
        let mut text = head();
        for attack in ORDER {
            text.push_str(page.get(attack.title).map_or("", String::as_str));
        }
        fs::write(path(), text).unwrap();
    }
    assert!(
        page.get(attack.title) == Some(&section),
        "docs/attacks.md is out of date; write it with\n  {COMMAND}\n{section}"
    );
}

#[test]
fn the_page_of_attacks_holds_every_attack_and_no_other() {
    if std::env::var_os("UPDATE_ATTACKS").is_some() {
        // The others are at work on it.
        return;
    }
    let page = fs::read_to_string(path()).unwrap_or_default();
    assert!(
        page.starts_with(&head()),
        "docs/attacks.md is out of date; write it with\n  {COMMAND}"
    );
    let told: BTreeSet<_> = sections(&page).into_keys().collect();
    let known: BTreeSet<_> = ORDER.iter().map(|attack| attack.title.to_owned()).collect();
    assert_eq!(told, known);
}
