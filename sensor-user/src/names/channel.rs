//! DNS as a channel: data leaves in the names that are asked for, and comes back in what only texts can
//! hold. What one question looks like, and how many of its kind a session has asked.

use std::rc::Rc;

use foldhash::{HashMap, HashSet};

use crate::event::{DnsQuestion, ProcessKey};

use super::host;

/// So many characters below the domain are long: 15 bytes in hex, 19 in base32.
const LONG: usize = 30;
/// How many domains are counted, in all sessions together,
const DOMAINS: usize = 4096;
/// and long names of one.
const NAMES: usize = 1024;

const NULL: u16 = 10;
const TXT: u16 = 16;

/// How a question looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// As asked for.
    pub name: Rc<str>,
    /// Its last two labels: nearly always what somebody registered.
    pub domain: Rc<str>,
    /// How many labels it has.
    pub labels: usize,
    /// Different long names below that domain that the session has asked for.
    pub long_names: usize,
    /// Questions for TXT and NULL below that domain that the session has asked.
    pub texts: u64,
}

/// Counts, by session and domain.
#[derive(Debug, Default)]
pub struct Channel {
    domains: HashMap<(ProcessKey, Rc<str>), Domain>,
}

#[derive(Debug, Default)]
struct Domain {
    long: HashSet<Rc<str>>,
    texts: u64,
    last: u64,
}

impl Channel {
    /// A question of a session.
    pub fn asked(&mut self, session: ProcessKey, question: &DnsQuestion, time: u64) -> Shape {
        let name = host::from_wire(&question.name);
        let domain: Rc<str> = domain(&name).into();
        if self.domains.len() >= DOMAINS {
            self.let_go();
        }
        let counted = self
            .domains
            .entry((session, Rc::clone(&domain)))
            .or_default();
        counted.last = time;
        let below = name.len().saturating_sub(domain.len() + 1);
        if below >= LONG && counted.long.len() < NAMES {
            counted.long.insert(Rc::clone(&name));
        }
        if matches!(question.kind, NULL | TXT) {
            counted.texts += 1;
        }
        Shape {
            labels: name.split('.').count(),
            long_names: counted.long.len(),
            texts: counted.texts,
            name,
            domain,
        }
    }

    /// The half that was asked about longest ago.
    fn let_go(&mut self) {
        let mut times: Vec<u64> = self.domains.values().map(|domain| domain.last).collect();
        times.sort_unstable();
        let middle = times[times.len() / 2];
        self.domains.retain(|_, domain| domain.last > middle);
    }
}

/// The last two labels.
fn domain(name: &str) -> &str {
    let mut dots = name.rmatch_indices('.').skip(1);
    dots.next().map_or(name, |(at, _)| &name[at + 1..])
}

/// The type of a question, as resolvers write it.
pub fn kind(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        NULL => "NULL",
        12 => "PTR",
        15 => "MX",
        TXT => "TXT",
        28 => "AAAA",
        33 => "SRV",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NPM: ProcessKey = ProcessKey { pid: 1, start: 1 };

    fn question(name: &str, kind: u16) -> DnsQuestion {
        DnsQuestion {
            name: name.into(),
            kind,
        }
    }

    #[test]
    fn long_names_are_counted_once_each_and_by_domain_and_session() {
        let mut channel = Channel::default();
        let long = |n: u32| format!("{n:040x}.t.evil.example");
        for n in [1, 2, 2, 3] {
            channel.asked(NPM, &question(&long(n), 1), 0);
        }
        let shape = channel.asked(NPM, &question("www.evil.example", 28), 0);
        assert_eq!((&*shape.domain, shape.long_names), ("evil.example", 3));
        assert_eq!((shape.labels, shape.texts), (3, 0));
        let other = ProcessKey { pid: 2, start: 2 };
        assert_eq!(
            channel.asked(other, &question(&long(4), 1), 0).long_names,
            1
        );
    }

    #[test]
    fn texts_are_counted() {
        let mut channel = Channel::default();
        for kind in [TXT, NULL, 1] {
            channel.asked(NPM, &question("a.evil.example", kind), 0);
        }
        assert_eq!(
            channel
                .asked(NPM, &question("b.evil.example", TXT), 0)
                .texts,
            3
        );
    }

    #[test]
    fn a_name_of_one_label_or_none_is_its_own_domain() {
        assert_eq!(domain("localhost"), "localhost");
        assert_eq!(domain(""), "");
        assert_eq!(domain("a.b"), "a.b");
        assert_eq!(domain("a.b.c"), "b.c");
    }

    #[test]
    fn a_flood_of_domains_is_bounded() {
        let mut channel = Channel::default();
        for n in 0..20_000u32 {
            channel.asked(NPM, &question(&format!("x.{n}.example"), 1), u64::from(n));
            channel.asked(
                NPM,
                &question(&format!("{n:040}.one.example"), 1),
                u64::from(n),
            );
        }
        assert!(channel.domains.len() <= DOMAINS);
        assert!(
            channel
                .domains
                .values()
                .all(|domain| domain.long.len() <= NAMES)
        );
    }
}
