//! What real attacks did, done again without harm: packages of `tests/attacks`, installed by real npm and
//! pip or imported by real node and python, under watch.
//!
//! [`worms`], [`npm`] and [`pip`] say what each did, act by act, and what must be raised; [`page`] keeps what was
//! raised in `docs/attacks.md`; [`stage`] is where it happens.

mod npm;
mod page;
mod pip;
mod stage;
mod worms;

use std::collections::BTreeSet;

use tests::{Alert, Seen};

/// An attack, and what a report on it says.
pub(super) struct Attack {
    pub title: &'static str,
    /// What was hijacked and how it ran, in a few words.
    pub how: &'static str,
    /// Its folder in `tests/attacks`.
    pub replica: &'static str,
    /// As in a package URL, without version; none where the code belongs to no package.
    pub package: Option<&'static str>,
    pub version: &'static str,
    /// Of which lifecycles its alerts may be.
    pub lifecycles: &'static [&'static str],
    /// Rules on what the manager itself did, whose alerts need name no package.
    pub managers: &'static [&'static str],
    pub acts: &'static [Act],
}

/// One thing it did, in the order done.
pub(super) struct Act {
    pub what: &'static str,
    /// Which rules must find it, at which level.
    pub found: &'static [(&'static str, &'static str)],
    /// Why not all of it is found.
    pub unseen: Option<&'static str>,
}

const fn act(what: &'static str, found: &'static [(&'static str, &'static str)]) -> Act {
    Act {
        what,
        found,
        unseen: None,
    }
}

const fn partly(
    what: &'static str,
    found: &'static [(&'static str, &'static str)],
    why: &'static str,
) -> Act {
    Act {
        what,
        found,
        unseen: Some(why),
    }
}

const fn unseen(what: &'static str, why: &'static str) -> Act {
    Act {
        what,
        found: &[],
        unseen: Some(why),
    }
}

/// The name of a rule's file.
fn rule(alert: &Alert) -> &str {
    let file = alert.text("/rule/file");
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".yml").unwrap_or(name)
}

impl Attack {
    /// Panics unless what was raised is what must be, no more and no less, and names this package alone;
    /// and unless the page says the same.
    fn check(&self, seen: &Seen) {
        seen.complete();
        let raised: BTreeSet<_> = seen
            .alerts
            .iter()
            .map(|alert| (rule(alert), alert.text("/level")))
            .collect();
        let expected = self.acts.iter().flat_map(|act| act.found);
        let expected: BTreeSet<_> = expected.copied().collect();
        let missing: Vec<_> = expected.difference(&raised).collect();
        let more: Vec<_> = raised.difference(&expected).collect();
        let strange: Vec<_> = seen
            .alerts
            .iter()
            .filter(|alert| !self.is_named_by(alert))
            .collect();
        assert!(
            missing.is_empty() && more.is_empty() && strange.is_empty(),
            "{}\n  not raised {missing:?}\n  not expected {more:?}\n  with a wrong package {strange:#?}\n{seen:?}",
            self.title
        );
        let ids: BTreeSet<_> = seen.alerts.iter().map(|alert| alert.text("/id")).collect();
        for chain in seen
            .alerts
            .iter()
            .filter(|alert| alert.text("/rule/file").starts_with("chains/"))
        {
            let links = chain.at("/links").as_array().cloned().unwrap_or_default();
            let of_this_run =
                |link: &serde_json::Value| ids.contains(link["alert_id"].as_str().unwrap_or(""));
            assert!(
                links.len() >= 2 && links.iter().all(of_this_run),
                "{}: {chain:?}",
                self.title
            );
        }
        page::keep(self, &raised.into_iter().collect());
    }

    fn is_named_by(&self, alert: &Alert) -> bool {
        let unnamed = alert.at("/package").is_null();
        let Some(package) = self
            .package
            .filter(|_| !(unnamed && self.managers.contains(&rule(alert))))
        else {
            return unnamed;
        };
        let name = alert.text("/package/name").replace('_', "-");
        let lifecycle = alert.text("/package/lifecycle");
        format!("{}/{name}", alert.text("/package/type")) == package
            && alert.text("/package/version") == self.version
            && self.lifecycles.contains(&lifecycle)
    }
}
