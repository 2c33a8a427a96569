//! Which files the kernel reports: compiled from the loaded rules, handed down to the probes.

use std::collections::HashMap;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// What an act does with a file.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct Operations: u32 {
        /// Opened for reading.
        const READ = 1;
        /// Opened for writing. In an entry: of a file that was there before.
        const WRITE = 2;
        /// Did not exist and was made by this open.
        const CREATE = 4;
        /// Renamed, or its mode changed.
        const METADATA = 8;
        /// Removed.
        const REMOVE = 16;
    }
}

/// How much of a component, prefix or suffix the kernel keeps and compares, in bytes.
pub const KEY_BYTES: usize = 32;

/// Which paths an entry means. Literals are bytes with ASCII letters in lower case; the kernel
/// compares them with the path's bytes, ASCII letters of which it lower-cases too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WatchKey {
    /// One whole component anywhere in the path, the last one included: `.ssh`, `id_rsa`.
    Component(Vec<u8>),
    /// The last component ends so: `.pth`.
    BasenameSuffix(Vec<u8>),
    /// The last component begins so: `id_`.
    BasenamePrefix(Vec<u8>),
    /// Every path: costs an event per operation.
    Any,
}

/// Report these operations on these paths.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchEntry {
    /// Which paths.
    pub key: WatchKey,
    /// Which operations on them.
    pub operations: Operations,
}

/// All entries of a rule set. Over-approximates: whatever a rule could match passes; what passes
/// need not match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSet {
    /// In no particular order; operations of equal keys add up.
    pub entries: Vec<WatchEntry>,
}

impl WatchSet {
    /// What the kernel's filter decides, in user space: whether an act on this path is reported.
    /// `operations` are those of the act; one in common with the entry is enough.
    pub fn passes(&self, path: &[u8], operations: Operations) -> bool {
        let path = path.to_ascii_lowercase();
        self.entries
            .iter()
            .any(|entry| entry.operations.intersects(operations) && entry.key.fits(&path))
    }

    /// Whether all that passes `other` passes this set too. Never wrongly true; false also where
    /// only several entries together would do it.
    pub fn covers(&self, other: &WatchSet) -> bool {
        let mut known: HashMap<Literal<'_>, Operations> = HashMap::new();
        for entry in &self.entries {
            *known.entry(Literal::of(&entry.key)).or_default() |= entry.operations;
        }
        let operations = |literal: &Literal<'_>| known.get(literal).copied().unwrap_or_default();
        let everything = operations(&Literal::Any);
        other.entries.iter().all(|entry| {
            let literal = Literal::of(&entry.key);
            let covered = literal
                .wider()
                .fold(everything, |sum, wider| sum | operations(&wider));
            covered.contains(entry.operations)
        })
    }
}

/// A key as it is compared: equal ones mean the same paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Literal<'a> {
    Any,
    Component(&'a [u8]),
    Suffix(&'a [u8]),
    Prefix(&'a [u8]),
}

impl<'a> Literal<'a> {
    fn of(key: &'a WatchKey) -> Self {
        match key {
            WatchKey::Component(name) => Literal::Component(head(name)),
            WatchKey::BasenameSuffix(end) => Literal::Suffix(end),
            WatchKey::BasenamePrefix(start) => Literal::Prefix(head(start)),
            WatchKey::Any => Literal::Any,
        }
    }

    /// All of its sort that mean at least the same paths: what ends in `.bashrc` ends in `rc`.
    fn wider(self) -> impl Iterator<Item = Self> {
        let lengths = match self {
            Literal::Any | Literal::Component(_) => 0..=0,
            Literal::Suffix(text) | Literal::Prefix(text) => 0..=text.len(),
        };
        lengths.map(move |length| match self {
            Literal::Any | Literal::Component(_) => self,
            Literal::Suffix(text) => Literal::Suffix(&text[text.len() - length..]),
            Literal::Prefix(text) => Literal::Prefix(&text[..length]),
        })
    }
}

impl WatchKey {
    /// Whether a path, lower-cased, is one of these.
    fn fits(&self, path: &[u8]) -> bool {
        let basename = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        match self {
            WatchKey::Component(name) => path
                .split(|&byte| byte == b'/')
                .any(|part| head(part) == head(name)),
            WatchKey::BasenameSuffix(end) => basename.ends_with(end),
            WatchKey::BasenamePrefix(start) => basename.starts_with(head(start)),
            WatchKey::Any => true,
        }
    }
}

/// As much as the kernel compares.
fn head(name: &[u8]) -> &[u8] {
    &name[..name.len().min(KEY_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: WatchKey) -> WatchSet {
        WatchSet {
            entries: vec![WatchEntry {
                key,
                operations: Operations::READ,
            }],
        }
    }

    #[test]
    fn a_component_means_a_whole_one_anywhere() {
        let ssh = set(WatchKey::Component(b".ssh".to_vec()));
        assert!(ssh.passes(b"/home/a/.SSH/id_rsa", Operations::READ));
        assert!(ssh.passes(b"/home/a/.ssh", Operations::READ | Operations::WRITE));
        assert!(!ssh.passes(b"/home/a/.sshd/x", Operations::READ));
        assert!(!ssh.passes(b"/home/a/.ssh/x", Operations::WRITE));
    }

    #[test]
    fn suffix_and_prefix_look_at_the_last_component() {
        let pth = set(WatchKey::BasenameSuffix(b".pth".to_vec()));
        assert!(pth.passes(b"/a/b.pth", Operations::READ));
        assert!(!pth.passes(b"/a.pth/b", Operations::READ));
        let id = set(WatchKey::BasenamePrefix(b"id_".to_vec()));
        assert!(id.passes(b"/a/id_x", Operations::READ));
        assert!(!id.passes(b"/id_/x", Operations::READ));
    }

    fn many(entries: &[(WatchKey, Operations)]) -> WatchSet {
        let entry = |(key, operations): &(WatchKey, Operations)| WatchEntry {
            key: key.clone(),
            operations: *operations,
        };
        WatchSet {
            entries: entries.iter().map(entry).collect(),
        }
    }

    #[test]
    fn a_set_covers_what_it_reports_anyway_and_nothing_more() {
        use WatchKey::{Any, BasenamePrefix, BasenameSuffix, Component};
        const READ: Operations = Operations::READ;
        const WRITE: Operations = Operations::WRITE;
        let own = many(&[
            (Component(b".ssh".to_vec()), READ),
            (Component(b".ssh".to_vec()), WRITE),
            (BasenameSuffix(b"rc".to_vec()), READ),
            (BasenamePrefix(b"id_".to_vec()), READ),
        ]);
        let covered = [
            (Component(b".ssh".to_vec()), READ | WRITE),
            (BasenameSuffix(b".bashrc".to_vec()), READ),
            (BasenamePrefix(b"id_rsa".to_vec()), READ),
        ];
        assert!(own.covers(&many(&covered)));
        assert!(own.covers(&WatchSet::default()));
        for beyond in [
            (Component(b".aws".to_vec()), READ),
            (Component(b".ssh".to_vec()), Operations::CREATE),
            (BasenameSuffix(b"c".to_vec()), READ),
            (BasenameSuffix(b".bashrc".to_vec()), READ | WRITE),
            (BasenamePrefix(b"id".to_vec()), READ),
            (BasenameSuffix(b".ssh".to_vec()), READ),
            (Any, READ),
        ] {
            assert!(
                !own.covers(&many(std::slice::from_ref(&beyond))),
                "{beyond:?}"
            );
        }
        let all = many(&[(Any, READ | WRITE)]);
        assert!(all.covers(&own));
        assert!(!own.covers(&all));
        assert!(!WatchSet::default().covers(&own));
    }

    mod covering {
        use proptest::prelude::*;

        use super::*;

        fn word() -> impl Strategy<Value = Vec<u8>> {
            proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'.')], 0..4)
        }

        fn key() -> impl Strategy<Value = WatchKey> {
            prop_oneof![
                word().prop_map(WatchKey::Component),
                word().prop_map(WatchKey::BasenameSuffix),
                word().prop_map(WatchKey::BasenamePrefix),
                Just(WatchKey::Any),
            ]
        }

        fn watch_set() -> impl Strategy<Value = WatchSet> {
            let operations = (0u32..32).prop_map(Operations::from_bits_truncate);
            proptest::collection::vec((key(), operations), 0..5).prop_map(|entries| many(&entries))
        }

        proptest! {
            #[test]
            fn what_passes_the_covered_set_passes_the_covering_one(
                own in watch_set(),
                other in watch_set(),
                parts in proptest::collection::vec(word(), 1..4),
                operation in 0u32..5,
            ) {
                let operation = Operations::from_bits_truncate(1 << operation);
                let path = [b"/".as_slice(), &parts.join(&b'/')].concat();
                if own.covers(&other) && other.passes(&path, operation) {
                    prop_assert!(own.passes(&path, operation));
                }
                prop_assert!(own.covers(&own));
            }
        }
    }

    #[test]
    fn long_components_are_compared_as_far_as_the_kernel_keeps_them() {
        let long = set(WatchKey::Component(vec![b'a'; 40]));
        assert!(long.passes(format!("/{}", "a".repeat(33)).as_bytes(), Operations::READ));
    }
}
