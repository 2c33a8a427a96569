//! Chains of alerts: each match of a rule is a link of the correlations that name it.
//!
//! Goals: the same events give the same chains; watched code decides neither how much is kept nor
//! what is forgotten: where a bound is met the new match is left out, counted, and shown in the
//! completeness of its session.

use std::collections::VecDeque;
use std::rc::Rc;

use foldhash::HashMap;

use crate::alert::schema::{Alert, Link};
use crate::alert::{id, limit, row, summary};
use crate::detect::{Chain, Group, Hit, RuleSet, Subject};
use crate::event::ProcessKey;
use crate::lineage::Lineage;

use super::act::Act;
use super::assemble::actor;
use super::moment::Moment;
use super::session::{ALERTS_OF_A_RULE, Verdict};
use super::{Core, Finding};

/// How much is held for one session, and for all: matches, roughly.
const SESSION: usize = 8192;
const ALL: usize = 131_072;
/// How many sessions are kept before those that are over are let go.
const KEPT: usize = 1024;

/// What chains have seen, by session.
#[derive(Debug, Default)]
pub(super) struct Chains {
    sessions: HashMap<ProcessKey, Session>,
    weight: usize,
    most: usize,
}

#[derive(Debug, Default)]
struct Session {
    root: Option<ProcessKey>,
    /// By the chain's id and the group's name.
    groups: HashMap<(String, String), Group<Rc<Link>>>,
    /// Alerts of rules that are links, by their id; and the latest of each rule.
    links: HashMap<String, Rc<Link>>,
    latest: HashMap<String, Rc<Link>>,
    weight: usize,
    dropped: u64,
}

/// One match on its way through the chains.
struct Match<'m> {
    session: ProcessKey,
    root: ProcessKey,
    time: u64,
    subject: &'m Subject,
}

impl Chains {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// How many matches of a session were left out.
    pub(super) fn dropped(&self, session: ProcessKey) -> u64 {
        self.sessions
            .get(&session)
            .map_or(0, |session| session.dropped)
    }

    /// Other rules are asked from now on: chains that look for the same go on.
    fn renew(&mut self, old: &RuleSet, new: &RuleSet) {
        let lasting: Vec<&str> = old
            .chains()
            .iter()
            .filter(|chain| {
                let same = |other: &&Chain| {
                    other.rule.id == chain.rule.id && other.definition == chain.definition
                };
                new.chains().iter().any(|other| same(&other))
            })
            .map(|chain| chain.rule.id.as_str())
            .collect();
        for session in self.sessions.values_mut() {
            session
                .groups
                .retain(|(id, _), _| lasting.contains(&id.as_str()));
            let weight: usize = session.groups.values().map(Group::weight).sum();
            self.weight -= session.weight - weight;
            session.weight = weight;
        }
    }

    /// Lets go of sessions none of whose processes is known any more, once there are many.
    fn bound(&mut self, lineage: &Lineage) {
        if self.sessions.len() <= self.most.max(KEPT) && self.weight < ALL {
            return;
        }
        self.sessions.retain(|_, session| {
            let alive = session.root.is_some_and(|root| lineage.has_root(root));
            if !alive {
                self.weight -= session.weight;
            }
            alive
        });
        self.most = 2 * self.sessions.len();
    }

    fn session(&mut self, of: &Match<'_>) -> &mut Session {
        let session = self.sessions.entry(of.session).or_default();
        session.root = Some(of.root);
        session
    }

    /// Takes a match; its links where they are a chain now.
    fn see(
        &mut self,
        of: &Match<'_>,
        (chain, position): (&Chain, usize),
        group: &str,
        link: &Rc<Link>,
    ) -> Option<Vec<Rc<Link>>> {
        let full = self.weight >= ALL;
        let session = self.session(of);
        let key = (chain.rule.id.clone(), group.to_owned());
        if (full || session.weight >= SESSION) && !session.groups.contains_key(&key) {
            session.dropped += 1;
            return None;
        }
        let definition = &chain.definition;
        let mut added = 0;
        let group = session.groups.entry(key).or_insert_with(|| {
            let group = Group::new(definition);
            added = group.weight();
            group
        });
        let before = group.weight() - added;
        let links = group.see(definition, position, of.time, of.subject, link);
        let after = group.weight();
        session.weight = session.weight + after - before;
        self.weight = self.weight + after - before;
        links
    }
}

impl Core {
    /// Other rules were loaded.
    pub(super) fn renew_chains(&mut self, new: &RuleSet) {
        self.chains.renew(&self.rules, new);
    }

    /// Takes a match that is not suppressed, and what was raised for it unless it repeats an alert.
    /// Gives the alerts of the chains that it ends.
    pub(super) fn chain(
        &mut self,
        act: &Act<'_>,
        moment: &Moment<'_>,
        subject: &Subject,
        hit: &Hit<'_>,
        raised: Option<&Finding>,
    ) -> Vec<Finding> {
        let rules = Rc::clone(&self.rules);
        if hit.suppressed_by.is_some() || rules.chains_of(&hit.rule.id).next().is_none() {
            return Vec::new();
        }
        let of = Match {
            session: moment.session(),
            root: moment.process.root,
            time: moment.time,
            subject,
        };
        self.chains.bound(&self.lineage);
        let link = self.link(act, &of, moment, hit, raised);
        let mut findings = Vec::new();
        // A chain may be a link of another.
        let mut queue = VecDeque::from([(hit.rule.id.clone(), link)]);
        while let Some((rule, link)) = queue.pop_front() {
            for (chain, position) in rules.chains_of(&rule) {
                let Some(group) = chain.group(position, subject) else {
                    continue;
                };
                let Some(links) = self.chains.see(&of, (chain, position), &group, &link) else {
                    continue;
                };
                if let Some(alert) =
                    self.raise_chain(act, moment, subject, hit, chain, &group, &links)
                {
                    queue.push_back((chain.rule.id.clone(), Rc::new(link_of(&alert))));
                    findings.push(Finding::Alert(alert));
                }
            }
        }
        findings
    }

    /// The alert that a match belongs to, as a link.
    fn link(
        &mut self,
        act: &Act<'_>,
        of: &Match<'_>,
        moment: &Moment<'_>,
        hit: &Hit<'_>,
        raised: Option<&Finding>,
    ) -> Rc<Link> {
        let rule = &hit.rule.id;
        if let Some(Finding::Alert(alert)) = raised {
            let link = Rc::new(link_of(alert));
            let session = self.chains.session(of);
            session
                .links
                .insert(link.alert_id.clone(), Rc::clone(&link));
            session.latest.insert(rule.clone(), Rc::clone(&link));
            return link;
        }
        let id = self.alert_id(act, moment, rule);
        let session = self.chains.session(of);
        let known = session.links.get(&id).or_else(|| session.latest.get(rule));
        if let Some(link) = known {
            return Rc::clone(link);
        }
        // It was raised before the chain was loaded.
        Rc::new(Link {
            alert_id: id,
            time: self.host_clock().rfc3339(of.time),
            summary: hit.rule.title.clone(),
        })
    }

    fn alert_id(&self, act: &Act<'_>, moment: &Moment<'_>, rule: &str) -> String {
        let session = self.host_clock().entity_id(moment.session());
        let boot = &self.start.host.boot_id;
        id::alert_id(boot, &session, rule, &actor(moment), &act.target(moment))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a match is all of these, and a chain besides"
    )]
    fn raise_chain(
        &mut self,
        act: &Act<'_>,
        moment: &Moment<'_>,
        subject: &Subject,
        hit: &Hit<'_>,
        chain: &Chain,
        group: &str,
        links: &[Rc<Link>],
    ) -> Option<Box<Alert>> {
        let session = moment.session();
        let actor = actor(moment);
        let boot = &self.start.host.boot_id;
        let session_id = self.host_clock().entity_id(session);
        let rule = &chain.rule.id;
        let id = id::alert_id(boot, &session_id, rule, &actor, group);
        let verdict = self.sessions.judge(session, rule, &actor, group, &id);
        if let Verdict::Repeat(first) = verdict {
            self.tallies(moment, |tally| tally.repeated(&first));
            return None;
        }
        let mut described = chain.rule.clone();
        described.branch = hit.rule.branch;
        let last = Hit {
            rule: &described,
            matched: hit.matched.clone(),
            suppressed_by: None,
            void: None,
        };
        let mut alert = self.assemble(act, moment, subject, &last, id);
        if verdict == Verdict::Last {
            alert.level_reasons.push(format!(
                "this chain has raised {ALERTS_OF_A_RULE} alerts in this session; from here on it \
                 is only counted, in the session's report"
            ));
        }
        alert.links = links.iter().map(|link| Link::clone(link)).collect();
        alert.summary = summary::sentence(&alert);
        alert.row = row::row(&alert);
        limit::cap(&mut alert);
        let alert = Box::new(alert);
        self.tallies(moment, |tally| tally.raised(&alert));
        Some(alert)
    }
}

fn link_of(alert: &Alert) -> Link {
    Link {
        alert_id: alert.id.clone(),
        time: alert.time.clone(),
        summary: alert.summary.clone(),
    }
}
