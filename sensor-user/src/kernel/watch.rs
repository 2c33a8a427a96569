//! Watch entries on their way into the kernel's maps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, HashMap};
use sensor_ebpf::abi::file;
use sensor_ebpf::abi::watch::{AFFIX, AFFIX_LENGTHS, BUCKETS, Filter, KEY, first_byte_bit};
use zerocopy::{FromZeros, IntoBytes};

use super::error::SensorError;
use crate::event::{Operations, WatchKey, WatchSet};

/// Folders whose entries are packages.
const PACKAGE_FOLDERS: [&[u8]; 3] = [b"node_modules", b"site-packages", b"dist-packages"];

/// Longer than a probe takes that has read the filter already.
const SETTLED: Duration = Duration::from_millis(2);

/// [`Filter`], as aya wants it.
type FilterBytes = [u8; size_of::<Filter>()];

/// What the maps will hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tables {
    any: u32,
    components: BTreeMap<[u8; KEY], u32>,
    suffixes: BTreeMap<[u8; AFFIX], u32>,
    prefixes: BTreeMap<[u8; AFFIX], u32>,
    suffix_lengths: BTreeSet<usize>,
    prefix_lengths: BTreeSet<usize>,
    first_bytes: [u64; BUCKETS],
}

impl Tables {
    /// Compiles a set. An affix that is too long is cut to what can be compared; lengths that find
    /// no place in the table make the set report every path: dearer, never blind.
    pub(super) fn compile(set: &WatchSet) -> Self {
        let mut tables = Tables {
            // Renames and mode changes name their object by an argument, which may lead anywhere
            // through a link. They are few: all are reported, and the edge resolves them.
            any: file::METADATA,
            components: BTreeMap::new(),
            suffixes: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            suffix_lengths: BTreeSet::new(),
            prefix_lengths: BTreeSet::new(),
            first_bytes: [0; BUCKETS],
        };
        for entry in &set.entries {
            let operations = wire(entry.operations);
            match &entry.key {
                WatchKey::Any => tables.any |= operations,
                WatchKey::Component(name) => tables.component(name, operations),
                WatchKey::BasenameSuffix(suffix) => {
                    let kept = &suffix[suffix.len().saturating_sub(AFFIX)..];
                    tables.suffix_lengths.insert(kept.len());
                    *tables.suffixes.entry(padded(kept)).or_default() |= operations;
                }
                WatchKey::BasenamePrefix(prefix) => {
                    let kept = &prefix[..prefix.len().min(AFFIX)];
                    tables.prefix_lengths.insert(kept.len());
                    *tables.prefixes.entry(padded(kept)).or_default() |= operations;
                }
            }
        }
        for name in PACKAGE_FOLDERS {
            tables.component(name, file::REMEMBER);
        }
        let too_many = tables.suffix_lengths.len().max(tables.prefix_lengths.len()) > AFFIX_LENGTHS;
        let empty = tables.suffix_lengths.contains(&0) || tables.prefix_lengths.contains(&0);
        if too_many || empty {
            tables.any |= tables.affix_operations();
        }
        tables
    }

    fn affix_operations(&self) -> u32 {
        let all = self.suffixes.values().chain(self.prefixes.values());
        all.fold(0, |sum, operations| sum | operations)
    }

    /// What is wanted by one or the other.
    fn and(&self, other: &Tables) -> Tables {
        let mut both = self.clone();
        merge(&mut both.components, &other.components);
        merge(&mut both.suffixes, &other.suffixes);
        merge(&mut both.prefixes, &other.prefixes);
        // Lengths have few places, and may go from one to another: for a moment every name will do.
        both.any |= other.any | self.affix_operations() | other.affix_operations();
        for (bits, more) in both.first_bytes.iter_mut().zip(&other.first_bytes) {
            *bits |= more;
        }
        both
    }

    fn component(&mut self, name: &[u8], operations: u32) {
        let Some(&first) = name.first() else { return };
        self.first_bytes[name.len().min(KEY)] |= first_byte_bit(first);
        *self
            .components
            .entry(padded(&name[..name.len().min(KEY)]))
            .or_default() |= operations;
    }

    fn filter(&self) -> Filter {
        let mut filter = Filter::new_zeroed();
        filter.any = self.any;
        filter.first_byte = self.first_bytes;
        for (slot, &length) in filter.suffix_lengths.iter_mut().zip(&self.suffix_lengths) {
            *slot = length as u32;
        }
        for (slot, &length) in filter.prefix_lengths.iter_mut().zip(&self.prefix_lengths) {
            *slot = length as u32;
        }
        filter
    }

    /// Puts everything into the maps of a freshly loaded object.
    pub(super) fn install(&self, ebpf: &mut Ebpf) -> Result<(), SensorError> {
        self.fill(ebpf)?;
        set_filter(ebpf, self.filter())
    }

    fn fill(&self, ebpf: &mut Ebpf) -> Result<(), SensorError> {
        fill(ebpf, "COMPONENTS", &self.components)?;
        fill(ebpf, "SUFFIXES", &self.suffixes)?;
        fill(ebpf, "PREFIXES", &self.prefixes)
    }

    /// Leaves only this in the maps.
    fn trim(&self, ebpf: &mut Ebpf) -> Result<(), SensorError> {
        self.fill(ebpf)?;
        trim(ebpf, "COMPONENTS", &self.components)?;
        trim(ebpf, "SUFFIXES", &self.suffixes)?;
        trim(ebpf, "PREFIXES", &self.prefixes)
    }

    /// Whether the maps hold exactly this.
    pub(super) fn are_in_place(&self, ebpf: &Ebpf) -> bool {
        let filter = || {
            let map = Array::<_, FilterBytes>::try_from(ebpf.map("FILTER")?).ok()?;
            map.get(&0, 0).ok()
        };
        filter().is_some_and(|found| found.as_slice() == self.filter().as_bytes())
            && holds(ebpf, "COMPONENTS", &self.components)
            && holds(ebpf, "SUFFIXES", &self.suffixes)
            && holds(ebpf, "PREFIXES", &self.prefixes)
    }

    /// Takes the place of `old`, which the maps hold. At no moment does a probe miss what both want:
    /// first the maps and the filter let through what either does, then the old is taken out. If it
    /// fails, the old is in place.
    pub(super) fn replace(&self, old: &Tables, ebpf: &mut Ebpf) -> Result<(), SensorError> {
        let both = old.and(self);
        if let Err(error) = both.fill(ebpf) {
            old.trim(ebpf)?;
            return Err(error);
        }
        let mut filter = both.filter();
        set_filter(ebpf, filter)?;
        std::thread::sleep(SETTLED);
        // A probe may see the half of a filter: each step changes only what the step before has made
        // to be of no matter.
        let new = self.filter();
        filter.suffix_lengths = new.suffix_lengths;
        filter.prefix_lengths = new.prefix_lengths;
        set_filter(ebpf, filter)?;
        std::thread::sleep(SETTLED);
        set_filter(ebpf, new)?;
        std::thread::sleep(SETTLED);
        self.trim(ebpf)
    }
}

fn merge<K: Copy + Ord>(into: &mut BTreeMap<K, u32>, more: &BTreeMap<K, u32>) {
    for (key, operations) in more {
        *into.entry(*key).or_default() |= operations;
    }
}

fn set_filter(ebpf: &mut Ebpf, filter: Filter) -> Result<(), SensorError> {
    const NAME: &str = "FILTER";
    let bytes: FilterBytes = filter
        .as_bytes()
        .try_into()
        .expect("a struct has its own size");
    let map = ebpf.map_mut(NAME).ok_or_else(|| missing(NAME))?;
    let mut map: Array<_, FilterBytes> =
        Array::try_from(map).map_err(|error| failed(NAME, &error))?;
    map.set(0, bytes, 0).map_err(|error| failed(NAME, &error))
}

/// ASCII lower case, zero-padded.
fn padded<const N: usize>(name: &[u8]) -> [u8; N] {
    let mut key = [0; N];
    key[..name.len()].copy_from_slice(name);
    key.make_ascii_lowercase();
    key
}

fn wire(operations: Operations) -> u32 {
    [
        (Operations::READ, file::READ),
        (Operations::WRITE, file::WRITE),
        (Operations::CREATE, file::CREATE),
        (Operations::METADATA, file::METADATA),
        (Operations::REMOVE, file::REMOVE),
    ]
    .into_iter()
    .filter(|&(operation, _)| operations.contains(operation))
    .fold(0, |sum, (_, bit)| sum | bit)
}

fn fill<const N: usize>(
    ebpf: &mut Ebpf,
    name: &'static str,
    entries: &BTreeMap<[u8; N], u32>,
) -> Result<(), SensorError> {
    let map = ebpf.map_mut(name).ok_or_else(|| missing(name))?;
    let mut map: HashMap<_, [u8; N], u32> =
        HashMap::try_from(map).map_err(|error| failed(name, &error))?;
    for (key, operations) in entries {
        map.insert(key, operations, 0)
            .map_err(|error| failed(name, &error))?;
    }
    Ok(())
}

/// Whether a map holds all of `entries`.
fn holds<const N: usize>(ebpf: &Ebpf, name: &str, entries: &BTreeMap<[u8; N], u32>) -> bool {
    let Some(Ok(map)) = ebpf.map(name).map(HashMap::<_, [u8; N], u32>::try_from) else {
        return false;
    };
    entries
        .iter()
        .all(|(key, operations)| map.get(key, 0).is_ok_and(|found| found == *operations))
}

/// Takes out what is not in `entries`.
fn trim<const N: usize>(
    ebpf: &mut Ebpf,
    name: &'static str,
    entries: &BTreeMap<[u8; N], u32>,
) -> Result<(), SensorError> {
    let map = ebpf.map_mut(name).ok_or_else(|| missing(name))?;
    let mut map: HashMap<_, [u8; N], u32> =
        HashMap::try_from(map).map_err(|error| failed(name, &error))?;
    let keys: Result<Vec<_>, _> = map.keys().collect();
    for key in keys.map_err(|error| failed(name, &error))? {
        if !entries.contains_key(&key) {
            map.remove(&key).map_err(|error| failed(name, &error))?;
        }
    }
    Ok(())
}

pub(super) fn missing(map: &'static str) -> SensorError {
    SensorError::Map {
        map,
        cause: "not in the object".into(),
    }
}

pub(super) fn failed(map: &'static str, error: &aya::maps::MapError) -> SensorError {
    SensorError::Map {
        map,
        cause: super::error::chain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::WatchEntry;

    fn entry(key: WatchKey) -> WatchEntry {
        WatchEntry {
            key,
            operations: Operations::READ,
        }
    }

    #[test]
    fn more_affix_lengths_than_the_kernel_can_try_make_everything_reported() {
        let suffix = |length| entry(WatchKey::BasenameSuffix(vec![b'x'; length]));
        let few = WatchSet {
            entries: (1..=AFFIX_LENGTHS).map(suffix).collect(),
        };
        assert_eq!(Tables::compile(&few).any & file::READ, 0);
        let many = WatchSet {
            entries: (1..=AFFIX_LENGTHS + 1).map(suffix).collect(),
        };
        assert_ne!(Tables::compile(&many).any & file::READ, 0);
    }

    #[test]
    fn while_rules_are_exchanged_what_either_wants_is_reported() {
        let set = |keys: &[WatchKey]| {
            let entries = keys.iter().cloned().map(entry).collect();
            Tables::compile(&WatchSet { entries })
        };
        let old = set(&[
            WatchKey::Component(b".ssh".to_vec()),
            WatchKey::BasenameSuffix(b".pth".to_vec()),
        ]);
        let new = set(&[
            WatchKey::Component(b".aws".to_vec()),
            WatchKey::BasenameSuffix(b".service".to_vec()),
        ]);
        let both = old.and(&new);
        for tables in [&old, &new] {
            assert!(
                tables
                    .components
                    .keys()
                    .all(|key| both.components.contains_key(key))
            );
            assert!(
                tables
                    .suffixes
                    .keys()
                    .all(|key| both.suffixes.contains_key(key))
            );
            for (bits, more) in tables.first_bytes.iter().zip(&both.first_bytes) {
                assert_eq!(bits & !more, 0);
            }
        }
        assert_ne!(
            both.any & file::READ,
            0,
            "suffixes may be compared by neither's lengths"
        );
    }

    #[test]
    fn names_are_compared_in_lower_case_by_their_first_bytes() {
        let long = "Local Extension Settings And More Of It"
            .as_bytes()
            .to_vec();
        let set = WatchSet {
            entries: vec![entry(WatchKey::Component(long))],
        };
        let tables = Tables::compile(&set);
        assert!(
            tables
                .components
                .contains_key(b"local extension settings and mor")
        );
        assert_ne!(tables.first_bytes[KEY] & first_byte_bit(b'L'), 0);
    }
}
