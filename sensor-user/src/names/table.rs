//! Which names an address has, in each network namespace, as answers said it.
//!
//! Goals: a name holds as long as its answer says (and a little longer, because a program connects
//! a while after it was told); memory is bounded whatever watched code looks up; what had to be let go
//! of is known to be missing. Time is the events'.

use std::net::IpAddr;
use std::rc::Rc;

use foldhash::HashMap;

use crate::event::ProcessKey;

const SECOND: u64 = 1_000_000_000;
/// An answer of no lifetime at all is used once, and a connect may be tried for minutes.
const SHORTEST: u64 = 60;
/// Whoever holds a name for longer than this without asking again connects to what may be another's.
const LONGEST: u64 = 3600;
/// How many names of addresses are kept, in all namespaces together,
const MOST: usize = 16_384;
/// and of one address.
const MOST_OF_ADDRESS: usize = 64;
/// How many of those who asked for a name are told apart.
const ASKERS: usize = 4;

/// All names of all namespaces.
#[derive(Debug, Default)]
pub struct Table {
    addresses: HashMap<(u64, IpAddr), Address>,
    /// How many names and nameless addresses there are.
    size: usize,
    dropped: Option<u64>,
}

#[derive(Debug, Default)]
struct Address {
    names: Vec<Named>,
    /// There were names that are not kept.
    crowded: bool,
    /// A server that does not count told it to somebody who asked.
    doubted: bool,
}

/// A name of an address.
#[derive(Debug)]
struct Named {
    name: Rc<str>,
    until: u64,
    /// Who asked for it, newest first, and when.
    askers: Vec<(ProcessKey, u64)>,
}

/// What is known of an address.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The names that hold; the one to be shown is the first.
    pub names: Vec<Rc<str>>,
    /// Some that hold are not among them.
    pub crowded: bool,
    /// It had or has other names too: that there is none here does not mean that there is none.
    pub uncertain: bool,
}

impl Table {
    /// An answer that counts gave this address that name, for `ttl` seconds.
    pub fn learn(
        &mut self,
        (netns, ip): (u64, IpAddr),
        name: &Rc<str>,
        ttl: u32,
        asker: ProcessKey,
        time: u64,
    ) {
        let until = time + u64::from(ttl).clamp(SHORTEST, LONGEST) * SECOND;
        let address = self.address(netns, ip);
        let known = address.names.iter().position(|named| named.name == *name);
        let mut more = 0;
        let at = known.unwrap_or_else(|| {
            if address.names.len() >= MOST_OF_ADDRESS {
                address.names.remove(0);
                address.crowded = true;
            } else {
                more = 1;
            }
            address.names.push(Named {
                name: Rc::clone(name),
                until,
                askers: Vec::new(),
            });
            address.names.len() - 1
        });
        let named = &mut address.names[at];
        named.until = named.until.max(until);
        named.askers.retain(|(known, _)| *known != asker);
        named.askers.insert(0, (asker, time));
        named.askers.truncate(ASKERS);
        self.size += more;
        self.bound(time);
    }

    /// An answer that does not count gave it to somebody who asked: it has a name, but not one to rely
    /// on.
    pub fn doubt(&mut self, netns: u64, ip: IpAddr, time: u64) {
        self.address(netns, ip).doubted = true;
        self.bound(time);
    }

    /// Something that was told can't be known any more.
    pub fn forgot(&mut self, time: u64) {
        self.dropped = Some(time);
    }

    /// Something that was told after that time is not known.
    pub fn has_gaps_since(&self, time: u64) -> bool {
        self.dropped.is_some_and(|dropped| dropped >= time)
    }

    /// What a process that connects there now may have been told. Of several names the one that it
    /// asked for last itself is the first, otherwise the one that anybody asked for last.
    pub fn look(&self, netns: u64, ip: IpAddr, process: ProcessKey, time: u64) -> Known {
        let Some(address) = self.addresses.get(&(netns, ip.to_canonical())) else {
            return Known::default();
        };
        let mut live: Vec<&Named> = address.names.iter().filter(|n| n.until >= time).collect();
        live.sort_by(|a, b| {
            let key = |named: &Named| {
                let own = named.askers.iter().find(|(asker, _)| *asker == process);
                let any = named.askers.first();
                (own.map(|(_, time)| *time), any.map(|(_, time)| *time))
            };
            key(b).cmp(&key(a)).then_with(|| a.name.cmp(&b.name))
        });
        Known {
            crowded: address.crowded,
            uncertain: address.crowded || address.doubted || live.len() < address.names.len(),
            names: live
                .into_iter()
                .map(|named| Rc::clone(&named.name))
                .collect(),
        }
    }

    fn address(&mut self, netns: u64, ip: IpAddr) -> &mut Address {
        let size = &mut self.size;
        self.addresses
            .entry((netns, ip.to_canonical()))
            .or_insert_with(|| {
                // A nameless one takes room too.
                *size += 1;
                Address::default()
            })
    }

    /// Lets go of the quarter of the addresses whose names end first.
    fn bound(&mut self, time: u64) {
        if self.size <= MOST {
            return;
        }
        let mut all: Vec<_> = self
            .addresses
            .iter()
            .map(|(key, address)| (address.names.iter().map(|n| n.until).max(), *key))
            .collect();
        all.sort_unstable();
        for (_, key) in &all[..all.len().div_ceil(4)] {
            if let Some(address) = self.addresses.remove(key) {
                self.size -= 1 + address.names.len();
            }
        }
        self.forgot(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: ProcessKey = ProcessKey { pid: 1, start: 1 };
    const OTHER: ProcessKey = ProcessKey { pid: 2, start: 2 };

    fn ip(ip: &str) -> IpAddr {
        ip.parse().unwrap()
    }

    fn names(known: &Known) -> Vec<&str> {
        known.names.iter().map(|name| &**name).collect()
    }

    #[test]
    fn a_name_holds_in_its_namespace_for_its_lifetime() {
        let mut table = Table::default();
        table.learn((7, ip("::ffff:9.9.9.9")), &"a.example".into(), 300, NODE, 0);
        let at = |netns, seconds| table.look(netns, ip("9.9.9.9"), NODE, seconds * SECOND);
        assert_eq!(names(&at(7, 300)), ["a.example"]);
        assert_eq!(at(8, 300), Known::default());
        let after = at(7, 301);
        assert!(after.names.is_empty() && after.uncertain);
    }

    #[test]
    fn a_lifetime_has_a_floor_and_a_cap() {
        let mut table = Table::default();
        table.learn((0, ip("9.9.9.9")), &"a.example".into(), 0, NODE, 0);
        table.learn((0, ip("9.9.9.8")), &"a.example".into(), u32::MAX, NODE, 0);
        let at = |address, seconds| {
            table
                .look(0, ip(address), NODE, seconds * SECOND)
                .names
                .len()
        };
        assert_eq!((at("9.9.9.9", 60), at("9.9.9.9", 61)), (1, 0));
        assert_eq!((at("9.9.9.8", 3600), at("9.9.9.8", 3601)), (1, 0));
    }

    #[test]
    fn of_several_names_the_one_that_the_process_asked_for_itself_comes_first() {
        let mut table = Table::default();
        let at = (0, ip("9.9.9.9"));
        for (name, asker, time) in [("a", NODE, 1), ("b", NODE, 2), ("c", OTHER, 3)] {
            table.learn(at, &name.into(), 60, asker, time);
        }
        assert_eq!(names(&table.look(0, at.1, NODE, 4)), ["b", "a", "c"]);
        assert_eq!(names(&table.look(0, at.1, OTHER, 4)), ["c", "b", "a"]);
        table.learn(at, &"a".into(), 60, NODE, 5);
        assert_eq!(names(&table.look(0, at.1, NODE, 6)), ["a", "b", "c"]);
    }

    #[test]
    fn a_flood_of_names_costs_what_was_told_first_and_says_so() {
        let mut table = Table::default();
        for n in 0..100_000u32 {
            let address = IpAddr::V4(n.into());
            table.learn((0, address), &"x.example".into(), 60, NODE, u64::from(n));
        }
        assert!(table.size <= MOST && table.addresses.len() <= MOST);
        assert!(table.has_gaps_since(90_000) && !table.has_gaps_since(100_000));
        assert_eq!(
            table
                .look(0, IpAddr::V4(99_999.into()), NODE, 0)
                .names
                .len(),
            1
        );
    }

    #[test]
    fn an_address_with_more_names_than_are_kept_is_uncertain() {
        let mut table = Table::default();
        for n in 0..=MOST_OF_ADDRESS {
            table.learn(
                (0, ip("9.9.9.9")),
                &format!("{n}.example").into(),
                60,
                NODE,
                0,
            );
        }
        let known = table.look(0, ip("9.9.9.9"), NODE, 0);
        assert!(known.uncertain);
        assert_eq!(known.names.len(), MOST_OF_ADDRESS);
        assert_eq!(table.size, 1 + MOST_OF_ADDRESS);
    }
}
