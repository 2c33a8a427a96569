//! What a chain has seen of one group of a session. It grows to a bound that the rule sets, however
//! much watched code does.

use std::collections::VecDeque;

use super::{Condition, Definition, enough, satisfied};
use crate::detect::subject::Subject;

/// How many links an alert lists: the latest.
const LISTED: usize = 64;

/// The state of a chain in one group. `L` is a link as its caller knows it.
#[derive(Debug, Clone)]
pub struct Group<L>(Progress<L>);

#[derive(Debug, Clone)]
enum Progress<L> {
    /// The latest matches, oldest first.
    Events(VecDeque<Seen<L>>),
    /// The latest match of each value, oldest first.
    Values(VecDeque<(String, Seen<L>)>),
    /// The latest match of each member.
    Together(Vec<Option<Seen<L>>>),
    /// For each set of members, how far its order was followed.
    InOrder(Vec<Vec<Option<Followed<L>>>>),
}

#[derive(Debug, Clone)]
struct Seen<L> {
    time: u64,
    link: L,
}

/// The first members of an order, matched. Of all ways to have come so far it is the one that began
/// last: any other is over sooner.
#[derive(Debug, Clone)]
struct Followed<L> {
    began: u64,
    latest: u64,
    links: Vec<L>,
}

impl<L: Clone + PartialEq> Group<L> {
    /// Nothing seen yet.
    pub fn new(definition: &Definition) -> Self {
        Self(match &definition.condition {
            Condition::Events(_) => Progress::Events(VecDeque::new()),
            Condition::Values(..) => Progress::Values(VecDeque::new()),
            Condition::Together(_) => Progress::Together(vec![None; definition.members.len()]),
            Condition::InOrder(orders) => {
                Progress::InOrder(orders.iter().map(|order| vec![None; order.len()]).collect())
            }
        })
    }

    /// How much it holds, for bounds on memory.
    pub fn weight(&self) -> usize {
        1 + match &self.0 {
            Progress::Events(seen) => seen.len(),
            Progress::Values(seen) => seen.len(),
            Progress::Together(seen) => seen.iter().flatten().count(),
            Progress::InOrder(orders) => {
                let followed = orders.iter().flatten().flatten();
                followed.map(|followed| followed.links.len()).sum()
            }
        }
    }

    /// Takes a match of the member at `position`. The links, in order, where they are a chain now.
    pub fn see(
        &mut self,
        definition: &Definition,
        position: usize,
        time: u64,
        subject: &Subject,
        link: &L,
    ) -> Option<Vec<L>> {
        let since = time.saturating_sub(definition.timespan);
        let seen = Seen {
            time,
            link: link.clone(),
        };
        match (&mut self.0, &definition.condition) {
            (Progress::Events(held), Condition::Events(bounds)) => {
                held.push_back(seen);
                while held.len() > enough(bounds) || held.front().is_some_and(|s| s.time < since) {
                    held.pop_front();
                }
                satisfied(bounds, held.len()).then(|| listed(held.iter()))
            }
            (Progress::Values(held), Condition::Values(_, bounds)) => {
                let value = definition.value(subject)?;
                held.retain(|(known, seen)| *known != value && seen.time >= since);
                held.push_back((value, seen));
                while held.len() > enough(bounds) {
                    held.pop_front();
                }
                satisfied(bounds, held.len()).then(|| listed(held.iter().map(|(_, seen)| seen)))
            }
            (Progress::Together(held), Condition::Together(sets)) => {
                held[position] = Some(seen);
                let found = |set: &&Vec<usize>| {
                    set.contains(&position)
                        && set.iter().all(|&member| {
                            held[member].as_ref().is_some_and(|seen| seen.time >= since)
                        })
                };
                let set = sets.iter().find(found)?;
                let mut links: Vec<_> = set.iter().filter_map(|&m| held[m].as_ref()).collect();
                links.sort_by_key(|seen| seen.time);
                Some(listed(links.into_iter()))
            }
            (Progress::InOrder(followed), Condition::InOrder(orders)) => {
                let mut links = None;
                for (followed, order) in followed.iter_mut().zip(orders) {
                    let end = follow(followed, order, position, &seen, since);
                    links = links.or(end);
                }
                links
            }
            // A group is made from the definition that it is asked about.
            _ => None,
        }
    }
}

/// Goes on from the match before this one's place. The links where that was the last place.
fn follow<L: Clone>(
    followed: &mut [Option<Followed<L>>],
    order: &[usize],
    position: usize,
    seen: &Seen<L>,
    since: u64,
) -> Option<Vec<L>> {
    let place = order.iter().position(|&member| member == position)?;
    let reached = match place.checked_sub(1) {
        None => Followed {
            began: seen.time,
            latest: seen.time,
            links: vec![seen.link.clone()],
        },
        Some(before) => {
            // One event that matches two members is not one after the other.
            let before = followed[before].as_ref()?;
            if before.began < since || before.latest >= seen.time {
                return None;
            }
            let mut links = before.links.clone();
            links.push(seen.link.clone());
            Followed {
                began: before.began,
                latest: seen.time,
                links,
            }
        }
    };
    let links = (place + 1 == order.len()).then(|| reached.links.clone());
    followed[place] = Some(reached);
    links
}

fn listed<'s, L: Clone + PartialEq + 's>(seen: impl Iterator<Item = &'s Seen<L>>) -> Vec<L> {
    let mut links: Vec<L> = Vec::new();
    for seen in seen {
        if !links.contains(&seen.link) {
            links.push(seen.link.clone());
        }
    }
    links.drain(..links.len().saturating_sub(LISTED));
    links
}
