//! How many events there were, and what became of them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Index;

use super::socket::is_zero;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Totals since the sensor started, by event kind. Generated = delivered + filtered + lost; what
/// was delivered and not yet received is in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub kinds: Kinds,
    /// Processes that could not enter the lineage set.
    pub lineage_full: u64,
    /// Events that were handled after a later one: not lost, but their order is not certain.
    #[serde(default)]
    pub out_of_order: u64,
    /// Events of the watched tree by processes of other users, which a daemon does not show to who
    /// is not root. In no kind's count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub withheld: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub generated: u64,
    pub delivered: u64,
    pub filtered: u64,
    pub lost: u64,
    pub received: u64,
}

/// Counts by kind, in the order of the names. One is made for each batch of events, so it is one piece
/// of memory: a tree with a string for each kind cost more than the events of a small batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds(Vec<(Cow<'static, str>, Count)>);

impl Kinds {
    /// The count of a kind, where it has one.
    pub fn get(&self, kind: &str) -> Option<&Count> {
        self.at(kind).ok().map(|at| &self.0[at].1)
    }

    /// Sets the count of a kind.
    pub fn insert(&mut self, kind: impl Into<Cow<'static, str>>, count: Count) {
        let kind = kind.into();
        match self.at(&kind) {
            Ok(at) => self.0[at].1 = count,
            Err(at) => {
                if self.0.capacity() == 0 {
                    self.0.reserve_exact(sensor_ebpf::abi::kind::COUNT as usize);
                }
                self.0.insert(at, (kind, count));
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Count)> {
        self.0.iter().map(|(kind, count)| (&**kind, count))
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(kind, _)| &**kind)
    }

    /// The counts.
    pub fn values(&self) -> impl Iterator<Item = &Count> {
        self.0.iter().map(|(_, count)| count)
    }

    fn at(&self, kind: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(kind))
    }
}

impl Index<&str> for Kinds {
    type Output = Count;

    fn index(&self, kind: &str) -> &Count {
        self.get(kind).expect("no such kind was counted")
    }
}

impl<K: Into<Cow<'static, str>>> FromIterator<(K, Count)> for Kinds {
    fn from_iter<I: IntoIterator<Item = (K, Count)>>(all: I) -> Self {
        let mut kinds = Self::default();
        for (kind, count) in all {
            kinds.insert(kind, count);
        }
        kinds
    }
}

impl<K: Into<Cow<'static, str>>, const N: usize> From<[(K, Count); N]> for Kinds {
    fn from(all: [(K, Count); N]) -> Self {
        all.into_iter().collect()
    }
}

impl Serialize for Kinds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Kinds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("counts by kind")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kinds, A::Error> {
                let mut kinds = Kinds::default();
                while let Some((kind, count)) = map.next_entry::<String, Count>()? {
                    kinds.insert(kind, count);
                }
                Ok(kinds)
            }
        }

        deserializer.deserialize_map(Map)
    }
}
