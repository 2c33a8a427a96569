//! Names that may be mistaken for those of popular packages: typosquats, mostly. A sign beside others and
//! no finding, since honest names are close to each other too.
//!
//! The popular names are data (`rules/lists/popular-packages.yml`). Close is: one letter more, less or
//! other; two swapped; letters that look alike; other separators; an ecosystem's own word before or
//! behind (`-js`, `python-`). A name that is popular itself is close to none.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::detect::lists::{self, PopularPackages};

use super::{Ecosystem, purl};

/// Shorter names have too many neighbours that mean nothing by it.
const SHORTEST: usize = 5;
/// For two letters that are swapped, and for what looks the same.
const SHORTEST_ALIKE: usize = 4;
/// No popular name is near it.
const LONGEST: usize = 128;

/// The popular name that this one may be mistaken for.
pub(super) fn popular(ecosystem: Ecosystem, name: &str) -> Option<&'static str> {
    if name.len() > LONGEST {
        return None;
    }
    let index = match ecosystem {
        Ecosystem::Npm => &NPM,
        Ecosystem::Pypi => &PYPI,
    };
    let name = match ecosystem {
        Ecosystem::Npm => name.to_lowercase(),
        Ecosystem::Pypi => purl::normalised(name),
    };
    index.near(&name)
}

static LISTS: LazyLock<PopularPackages> = LazyLock::new(lists::popular_packages);
static NPM: LazyLock<Index> = LazyLock::new(|| {
    let words = &["-js", ".js", "js", "-node", "nodejs-", "node-", "js-"];
    Index::of(&LISTS.npm, words)
});
static PYPI: LazyLock<Index> = LazyLock::new(|| {
    let words = &[
        "-python", "-python3", "-py", "-py3", "python-", "python3-", "py3-", "py-", "py",
    ];
    Index::of(&LISTS.pypi, words)
});

/// Popular names, by what leads to them.
#[derive(Debug, Default)]
struct Index {
    /// The names, and each with one letter left out; by place in the list.
    shortened: HashMap<String, Vec<(usize, &'static str)>>,
    /// As they look.
    looks: HashMap<String, &'static str>,
    /// Without an ecosystem's own words.
    stems: HashMap<String, &'static str>,
    words: &'static [&'static str],
}

impl Index {
    fn of(names: &[&'static str], words: &'static [&'static str]) -> Self {
        let mut index = Self {
            words,
            ..Self::default()
        };
        for (place, &name) in names.iter().enumerate() {
            for part in shortened(name) {
                let leads_to = index.shortened.entry(part).or_default();
                leads_to.push((place, name));
            }
            index.looks.entry(look(name)).or_insert(name);
        }
        // A name without such words goes before one that has them.
        for &name in names {
            index.stems.entry(name.to_owned()).or_insert(name);
        }
        for &name in names {
            if let Some(stem) = index.stem(name) {
                index.stems.entry(stem).or_insert(name);
            }
        }
        index
    }

    fn near(&self, name: &str) -> Option<&'static str> {
        if self.stems.get(name).is_some_and(|popular| *popular == name) {
            return None;
        }
        let alike = self.looks.get(&look(name)).copied();
        alike
            .filter(|popular| popular.len() >= SHORTEST_ALIKE)
            .or_else(|| self.with_a_word(name))
            .or_else(|| {
                let parts = shortened(name);
                let candidates = parts.iter().filter_map(|part| self.shortened.get(part));
                let close = candidates
                    .flatten()
                    .filter(|(_, popular)| is_one_step(name, popular));
                close.min().map(|&(_, popular)| popular)
            })
    }

    /// `name-js` of `name`, and `name` of `python-name`.
    fn with_a_word(&self, name: &str) -> Option<&'static str> {
        let stem = self.stem(name);
        let popular = *self.stems.get(stem.as_deref().unwrap_or(name))?;
        (popular.len() >= SHORTEST && popular != name).then_some(popular)
    }

    /// The name without an ecosystem's own word; `None` where it has none or too little is left.
    fn stem(&self, name: &str) -> Option<String> {
        let (scope, base) = match name.split_once('/') {
            Some((scope, base)) => (format!("{scope}/"), base),
            None => (String::new(), name),
        };
        let rest = self.words.iter().find_map(|word| {
            let is_first = word.ends_with('-') || *word == "py";
            let rest = match is_first {
                true => base.strip_prefix(word),
                false => base.strip_suffix(word),
            };
            rest.filter(|rest| rest.len() >= SHORTEST_ALIKE)
        })?;
        Some(scope + rest)
    }
}

/// The name, and the name without each of its letters: two names that one step leads from one to the
/// other have one of these in common.
fn shortened(name: &str) -> Vec<String> {
    let mut parts = vec![name.to_owned()];
    for (at, letter) in name.char_indices() {
        let mut part = String::with_capacity(name.len());
        part.push_str(&name[..at]);
        part.push_str(&name[at + letter.len_utf8()..]);
        parts.push(part);
    }
    parts
}

/// One letter more, less or other, or two neighbours swapped.
fn is_one_step(name: &str, popular: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (name.chars().collect(), popular.chars().collect());
    let same = |(x, y): &(&char, &char)| x == y;
    let before = a.iter().zip(&b).take_while(same).count();
    let behind = a[before..]
        .iter()
        .rev()
        .zip(b[before..].iter().rev())
        .take_while(same)
        .count();
    let (a, b) = (&a[before..a.len() - behind], &b[before..b.len() - behind]);
    match (a, b) {
        ([x, y], [v, w]) => x == w && y == v && popular.len() >= SHORTEST_ALIKE,
        ([_], [_]) | ([], [_]) | ([_], []) => popular.len() >= SHORTEST,
        _ => false,
    }
}

/// A name as a hurried reader sees it: without separators, and with one letter for all that look like it.
fn look(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in name.chars() {
        let seen = match letter {
            '-' | '_' | '.' => continue,
            '0' | 'о' | 'ο' | 'ө' | 'ø' => 'o',
            '1' | 'i' | 'і' | 'ı' | 'ι' | 'ӏ' | '|' => 'l',
            '5' | 'ѕ' => 's',
            'а' | 'α' | 'ɑ' => 'a',
            'с' | 'ϲ' => 'c',
            'ԁ' => 'd',
            'е' | 'є' | 'ε' => 'e',
            'ɡ' => 'g',
            'һ' => 'h',
            'ј' => 'j',
            'к' | 'κ' => 'k',
            'м' => 'm',
            'п' => 'n',
            'р' | 'ρ' => 'p',
            'г' => 'r',
            'т' | 'τ' => 't',
            'υ' | 'ս' => 'u',
            'ν' | 'ѵ' => 'v',
            'ԝ' | 'ω' => 'w',
            'х' | 'χ' => 'x',
            'у' | 'ү' | 'γ' => 'y',
            other => other,
        };
        out.push(seen);
    }
    for (pair, one) in [("rn", "m"), ("vv", "w")] {
        if out.contains(pair) {
            out = out.replace(pair, one);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ecosystem::{Npm, Pypi};

    #[test]
    fn a_popular_name_is_close_to_none() {
        for (ecosystem, names) in [(Npm, &LISTS.npm), (Pypi, &LISTS.pypi)] {
            for name in names {
                assert_eq!(popular(ecosystem, name), None, "{name}");
            }
        }
        assert_eq!(popular(Pypi, "Typing_Extensions"), None);
        assert_eq!(popular(Pypi, "zope.interface"), None);
    }

    #[test]
    fn a_name_one_step_away_is_close() {
        for (ecosystem, name, expected) in [
            // Letters more, less, other, swapped.
            (Npm, "lodahs", "lodash"),
            (Npm, "expres", "express"),
            (Npm, "axioss", "axios"),
            (Npm, "chokidat", "chokidar"),
            (Pypi, "reqeusts", "requests"),
            (Pypi, "requestss", "requests"),
            (Pypi, "nunpy", "numpy"),
            (Pypi, "djnago", "django"),
            // Separators.
            (Npm, "crossenv", "cross-env"),
            (Npm, "node.fetch", "node-fetch"),
            (Pypi, "scikitlearn", "scikit-learn"),
            // What looks alike.
            (Npm, "1odash", "lodash"),
            (Npm, "rnongoose", "mongoose"),
            (Npm, "reаct", "react"),
            (Pypi, "djang0", "django"),
            (Pypi, "pi11ow", "pillow"),
            // A word of the ecosystem's.
            (Npm, "lodash-js", "lodash"),
            (Npm, "express.js", "express"),
            (Npm, "node-mongoose", "mongoose"),
            (Pypi, "python3-dateutil", "python-dateutil"),
            (Pypi, "dateutil", "python-dateutil"),
            (Pypi, "python-requests", "requests"),
            (Pypi, "requests-python", "requests"),
            (Pypi, "pyrequests", "requests"),
        ] {
            assert_eq!(popular(ecosystem, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_scope_that_is_close_to_a_popular_one_is_told() {
        for (name, expected) in [
            ("@bable/core", "@babel/core"),
            ("@babe1/core", "@babel/core"),
            ("@babel/cor", "@babel/core"),
            ("@typs/node", "@types/node"),
            ("@types-node", "@types/node"),
            ("types/node", "@types/node"),
            ("@angular/core-js", "@angular/core"),
        ] {
            let found = popular(Npm, name);
            // Without its slash or its sign the name is one letter away.
            assert_eq!(found, Some(expected), "{name}");
        }
    }

    #[test]
    fn honest_names_are_close_to_none() {
        for name in [
            "@acme/lodash",
            "our-lodash-tools",
            "hostile-fixture",
            "site",
            "vibe",
            "a",
            "",
            "express-handlebars",
            "js",
            "node",
            "@scope/",
            "/",
        ] {
            assert_eq!(popular(Npm, name), None, "{name}");
        }
        for name in ["py", "requests-aws4auth", "acme-numpy-tools", "-"] {
            assert_eq!(popular(Pypi, name), None, "{name}");
        }
    }

    #[test]
    fn a_name_of_any_length_costs_little() {
        assert_eq!(popular(Npm, &"a".repeat(1 << 20)), None);
        assert_eq!(popular(Npm, &"ä".repeat(60)), None);
    }

    #[test]
    fn the_lists_hold_hundreds_of_names_in_their_index_spelling() {
        assert!(LISTS.npm.len() >= 500, "{}", LISTS.npm.len());
        assert!(LISTS.pypi.len() >= 500, "{}", LISTS.pypi.len());
        for name in &LISTS.npm {
            assert_eq!(*name, name.to_lowercase());
        }
        for name in &LISTS.pypi {
            assert_eq!(*name, purl::normalised(name));
        }
    }
}
