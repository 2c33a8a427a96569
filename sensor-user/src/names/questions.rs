//! What was asked and not yet answered. An answer means something only to who asked for it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;

use foldhash::HashMap;

use crate::event::{Dns, DnsAnswer, DnsData, ProcessKey};

use super::host;

/// No resolver waits longer.
const LIFETIME: u64 = 60_000_000_000;
/// How many may wait.
const MOST: usize = 8192;
/// Aliases of one answer that are followed.
const ALIASES: usize = 16;

/// All that an answer must repeat.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    cookie: u64,
    netns: u64,
    server: SocketAddr,
    id: u16,
    kind: u16,
    /// The name asked for.
    pub name: Rc<str>,
}

impl Question {
    /// Of a message that has one.
    pub fn of(dns: &Dns) -> Option<Self> {
        let asked = dns.message.question.as_ref()?;
        Some(Self {
            cookie: dns.cookie,
            netns: dns.netns,
            server: SocketAddr::new(dns.server.ip().to_canonical(), dns.server.port()),
            id: dns.message.id,
            kind: asked.kind,
            name: host::from_wire(&asked.name),
        })
    }

    /// What it was about: the same when it is asked again of another server or over TCP.
    pub fn subject(&self) -> (Rc<str>, u16) {
        (Rc::clone(&self.name), self.kind)
    }
}

/// Questions under way.
#[derive(Debug, Default)]
pub struct Questions {
    open: HashMap<Question, (ProcessKey, u64)>,
    order: VecDeque<(Question, u64)>,
}

impl Questions {
    /// A question. Whether one that was still open had to be let go of for it.
    pub fn ask(&mut self, question: Question, asker: ProcessKey, time: u64) -> bool {
        self.open.insert(question.clone(), (asker, time));
        self.order.push_back((question, time));
        let mut dropped = false;
        while let Some((_, at)) = self.order.front() {
            let over = time.saturating_sub(*at) > LIFETIME;
            if !over && self.order.len() <= MOST {
                break;
            }
            if let Some((question, at)) = self.order.pop_front()
                && self
                    .open
                    .get(&question)
                    .is_some_and(|(_, last)| *last == at)
            {
                self.open.remove(&question);
                dropped |= !over;
            }
        }
        dropped
    }

    /// Who asked what this answers, and when. A second answer to it has no question any more.
    pub fn answered(&mut self, question: &Question, time: u64) -> Option<(ProcessKey, u64)> {
        let (asker, asked) = self.open.remove(question)?;
        (time.saturating_sub(asked) <= LIFETIME).then_some((asker, asked))
    }
}

/// The addresses that an answer gives to the name asked for, each with the lifetime of the chain of
/// aliases that leads there. Aliases are followed inside the answer only.
pub fn addresses(name: &Rc<str>, answers: &[DnsAnswer]) -> Vec<(std::net::IpAddr, u32)> {
    let mut found = Vec::new();
    let mut current = Rc::clone(name);
    let mut least = u32::MAX;
    for _ in 0..=ALIASES {
        let mut alias = None;
        for answer in answers {
            if host::from_wire(&answer.name) != current {
                continue;
            }
            match &answer.data {
                DnsData::Address(ip) => found.push((*ip, least.min(answer.ttl))),
                DnsData::Alias(to) => alias = Some((host::from_wire(to), answer.ttl)),
                DnsData::Other(_) => {}
            }
        }
        let Some((to, ttl)) = alias else {
            break;
        };
        current = to;
        least = least.min(ttl);
    }
    found.sort_unstable();
    found.dedup_by_key(|(ip, _)| *ip);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, ttl: u32, data: DnsData) -> DnsAnswer {
        DnsAnswer {
            name: name.into(),
            ttl,
            data,
        }
    }

    fn address(name: &str, ttl: u32, ip: &str) -> DnsAnswer {
        answer(name, ttl, DnsData::Address(ip.parse().unwrap()))
    }

    fn alias(name: &str, ttl: u32, to: &str) -> DnsAnswer {
        answer(name, ttl, DnsData::Alias(to.into()))
    }

    #[test]
    fn a_chain_of_aliases_lives_as_long_as_its_shortest_link() {
        let answers = [
            address("c.example", 300, "9.9.9.9"),
            address("C.example", 20, "9.9.9.8"),
            alias("b.example", 60, "c.example"),
            alias("A.example", 600, "b.example."),
        ];
        let found = addresses(&"a.example".into(), &answers);
        let found: Vec<_> = found
            .iter()
            .map(|(ip, ttl)| (ip.to_string(), *ttl))
            .collect();
        assert_eq!(found, [("9.9.9.8".into(), 20), ("9.9.9.9".into(), 60)]);
    }

    #[test]
    fn an_address_of_a_name_that_was_not_asked_for_is_nobodys() {
        let answers = [
            address("other.example", 300, "9.9.9.9"),
            alias("a.example", 60, "b.example"),
        ];
        assert!(addresses(&"a.example".into(), &answers).is_empty());
    }

    #[test]
    fn aliases_that_run_in_a_circle_end() {
        let answers = [
            alias("a.example", 60, "b.example"),
            alias("b.example", 60, "a.example"),
            address("b.example", 60, "9.9.9.9"),
        ];
        assert_eq!(addresses(&"a.example".into(), &answers).len(), 1);
    }

    fn question(id: u16) -> Question {
        Question {
            cookie: 1,
            netns: 1,
            server: "10.0.0.2:53".parse().unwrap(),
            id,
            kind: 1,
            name: "a.example".into(),
        }
    }

    const NODE: ProcessKey = ProcessKey { pid: 1, start: 1 };

    #[test]
    fn a_question_is_answered_once_and_in_time() {
        let mut questions = Questions::default();
        questions.ask(question(1), NODE, 0);
        assert_eq!(questions.answered(&question(2), 1), None);
        assert_eq!(questions.answered(&question(1), 1), Some((NODE, 0)));
        assert_eq!(questions.answered(&question(1), 2), None);
        questions.ask(question(1), NODE, 3);
        assert_eq!(questions.answered(&question(1), LIFETIME + 4), None);
    }

    #[test]
    fn a_flood_of_questions_is_bounded_and_says_what_it_cost() {
        let mut questions = Questions::default();
        for id in 0..MOST as u16 {
            assert!(!questions.ask(question(id), NODE, u64::from(id)));
        }
        // Asked again: the first is not the oldest any more.
        assert!(!questions.ask(question(0), NODE, 9_000));
        assert!(questions.ask(question(60_000), NODE, 9_001));
        assert_eq!(questions.answered(&question(1), 9_002), None);
        assert_eq!(questions.answered(&question(0), 9_002), Some((NODE, 9_000)));
        assert!(questions.order.len() <= MOST);
    }
}
