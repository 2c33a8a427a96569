//! From a rule that matched to an alert.

use std::collections::BTreeMap;

use crate::alert::schema::{
    Alert, Destination, Evidence, File, Network, Outcome, Package, Process, ProcessShort, Row,
    RuleReference, Sensor,
};
use crate::alert::{id, limit, row, summary};
use crate::detect::{Confidence, Hit, Subject};
use crate::event::Text;
use crate::lineage::Node;
use crate::names;

use super::act::{self, Act, Object};
use super::moment::{Clock, Moment};
use super::session::{ALERTS_OF_A_RULE, Verdict};
use super::tally::installed;
use super::{Core, Finding};

/// How much of each argument an ancestor keeps in an alert.
const ARGUMENT_BYTES: usize = 4096;

impl Core {
    /// The finding of a match, unless it repeats one.
    pub(super) fn raise(
        &mut self,
        act: &Act<'_>,
        moment: &Moment<'_>,
        subject: &Subject,
        hit: &Hit<'_>,
    ) -> Option<Finding> {
        let session = moment.session();
        let actor = actor(moment);
        let target = act.target(moment);
        let boot = &self.start.host.boot_id;
        let session_id = self.host_clock().entity_id(session);
        let id = id::alert_id(boot, &session_id, &hit.rule.id, &actor, &target);
        // A suppressed match must not use up the place of one that is not.
        let rule = match &hit.suppressed_by {
            Some(filter) => {
                self.tallies(moment, |tally| tally.suppressed(filter));
                format!("{} {filter}", hit.rule.id)
            }
            None => hit.rule.id.clone(),
        };
        let verdict = self.sessions.judge(session, &rule, &actor, &target, &id);
        if let Verdict::Repeat(first) = verdict {
            if hit.suppressed_by.is_none() {
                self.tallies(moment, |tally| tally.repeated(&first));
            }
            return None;
        }
        let mut alert = self.assemble(act, moment, subject, hit, id);
        if let Some(filter) = &hit.void {
            alert.level_reasons.push(format!(
                "the exemption {filter} does not hold: this session opened credentials before"
            ));
        }
        if verdict == Verdict::Last {
            alert.level_reasons.push(format!(
                "this rule has raised {ALERTS_OF_A_RULE} alerts in this session; from here on its \
                 matches are only counted, in the session's report"
            ));
        }
        alert.summary = summary::sentence(&alert);
        alert.row = row::row(&alert);
        limit::cap(&mut alert);
        let alert = Box::new(alert);
        if hit.suppressed_by.is_some() {
            return Some(Finding::Suppressed(alert));
        }
        self.tallies(moment, |tally| tally.raised(&alert));
        Some(Finding::Alert(alert))
    }

    pub(super) fn assemble(
        &self,
        act: &Act<'_>,
        moment: &Moment<'_>,
        subject: &Subject,
        hit: &Hit<'_>,
        id: String,
    ) -> Alert {
        let clock = self.host_clock();
        let context = &moment.process.context;
        let rule = hit.rule;
        let package = context
            .package
            .as_ref()
            .and_then(|package| package.borrow().package());
        let (confidence, confidence_reasons) = confidence(rule.confidence, package.as_ref());
        Alert {
            schema: "pkgwarden.alert/1".to_owned(),
            id,
            time: clock.rfc3339(moment.time),
            host: self.host(),
            sensor: Sensor {
                version: self.start.version.clone(),
                rules_sha256: self.rules.sha256().to_owned(),
            },
            detection_branch: rule.branch,
            level: rule.level,
            level_reasons: Vec::new(),
            confidence,
            confidence_reasons,
            title: rule.title.clone(),
            summary: String::new(),
            rule: RuleReference {
                id: rule.id.clone(),
                title: rule.title.clone(),
                level: rule.level,
                file: rule.file.clone(),
                tags: rule.tags.clone(),
                references: rule.references.clone(),
            },
            evidence: Evidence {
                event: act.word,
                fields: fields(subject),
                matched: hit.matched.clone(),
                observed: act.observed(),
                suppressed_by: hit.suppressed_by.clone(),
            },
            links: Vec::new(),
            process: process(moment, clock),
            ancestry: moment
                .process
                .node
                .ancestors()
                .into_iter()
                .filter(|node| node.image.is_some())
                .map(|node| short(node, clock))
                .collect(),
            scope: context.scopes(),
            install: context
                .install
                .as_ref()
                .map(|install| installed(install, &self.users, clock)),
            package,
            destination: destination(act, moment),
            network: network(act),
            file: file(act),
            ci: context.ci.as_ref().map(|ci| ci.record.clone()),
            container: moment.container.as_deref().cloned(),
            completeness: self.completeness_of(moment.session()),
            response: rule.playbook.respond.clone(),
            row: Row::default(),
        }
    }
}

/// A name that may be mistaken for a popular one is no proof of anything, but whoever acts under one
/// does it by accident less often.
fn confidence(of_rule: Confidence, package: Option<&Package>) -> (Confidence, Vec<String>) {
    let resembles = package.filter(|package| package.confidence > Confidence::Low);
    let Some((package, popular)) =
        resembles.and_then(|package| Some((package, package.resembles.as_ref()?)))
    else {
        return (of_rule, Vec::new());
    };
    let raised = match of_rule {
        Confidence::Low => Confidence::Medium,
        Confidence::Medium | Confidence::High => Confidence::High,
    };
    if raised == of_rule {
        return (of_rule, Vec::new());
    }
    let why = format!("the name {} is close to that of {popular}", package.name);
    (raised, vec![why])
}

/// Executable and package: who did it, for telling repeats.
pub(super) fn actor(moment: &Moment<'_>) -> String {
    let executable = moment.process.image().map(|image| &*image.path);
    let package = moment.process.context.package.as_ref();
    let package = package.and_then(|package| package.borrow().package());
    format!(
        "{}\n{}",
        executable.unwrap_or_default(),
        package.map(|package| package.purl).unwrap_or_default()
    )
}

fn fields(subject: &Subject) -> BTreeMap<String, String> {
    subject
        .fields()
        .map(|(field, value)| (field.name().to_owned(), value.text().into_owned()))
        .collect()
}

fn process(moment: &Moment<'_>, clock: Clock<'_>) -> Process {
    let key = moment.process.node.key;
    let mut process = Process {
        pid: key.pid,
        entity_id: clock.entity_id(key),
        start: clock.rfc3339(key.start),
        user: moment.user(),
        ..Process::default()
    };
    if let Some(image) = moment.process.image() {
        process.executable = image.executable.escaped();
        process.args = image.args.iter().map(Text::escaped).collect();
        process.args_truncated = image.args_truncated;
        process.working_directory = image.working_directory.escaped();
        process.script = image.script.as_deref().map(str::to_owned);
        process.deleted = image.deleted;
        process.memfd = image.memfd;
    }
    process
}

/// A process in an ancestry.
pub(super) fn short(node: &Node, clock: Clock<'_>) -> ProcessShort {
    let mut short = ProcessShort {
        pid: node.key.pid,
        entity_id: clock.entity_id(node.key),
        ..ProcessShort::default()
    };
    if let Some(image) = &node.image {
        short.executable = image.executable.escaped();
        short.args_truncated = image.args_truncated;
        short.script = image.script.as_deref().map(str::to_owned);
        for arg in &image.args {
            let bytes = arg.as_bytes();
            if bytes.len() > ARGUMENT_BYTES {
                short.args_truncated = true;
                short
                    .args
                    .push(Text::from(&bytes[..ARGUMENT_BYTES]).escaped());
            } else {
                short.args.push(arg.escaped());
            }
        }
    }
    short
}

fn destination(act: &Act<'_>, moment: &Moment<'_>) -> Option<Destination> {
    let (ip, port, path, class) = match &act.object {
        Object::Peer(socket) => (
            socket.ip,
            socket.port,
            socket.path.as_ref(),
            act::class(socket),
        ),
        Object::Listener(socket) => (socket.ip, socket.port, None, act::class(socket)),
        Object::Question(dns, _) | Object::Answer(dns, _) => {
            let ip = dns.server.ip();
            let class = Some(names::classify(ip));
            (Some(ip), dns.server.port(), None, class)
        }
        _ => return None,
    };
    let peer = &moment.peer;
    Some(Destination {
        ip: ip.map(act::shown),
        port: ip.map(|_| port),
        path: path.map(Text::escaped),
        domain: peer.name.as_deref().map(str::to_owned),
        domain_source: peer.source.map(str::to_owned),
        resolved: peer.resolved.name().to_owned(),
        class: class.map_or("unknown", names::Class::name).to_owned(),
        // Sent at once: how it ended is on the report.
        outcome: Outcome::Attempted,
    })
}

fn network(act: &Act<'_>) -> Option<Network> {
    let transport = match &act.object {
        Object::Peer(socket) | Object::Listener(socket) => act::transport(socket.transport),
        Object::Question(dns, _) | Object::Answer(dns, _) => act::transport(dns.transport),
        Object::RawSocket => "raw",
        _ => return None,
    };
    Some(Network {
        transport: transport.to_owned(),
    })
}

fn file(act: &Act<'_>) -> Option<File> {
    let Object::File(file) = &act.object else {
        return None;
    };
    Some(File {
        path: file.place.path.escaped(),
        host_path: None,
        operation: file.operation.to_owned(),
        mode: file.octal_mode(),
        flags: file.flags.map(|flags| format!("{flags:#o}")),
        outcome: file.outcome().into_owned(),
        hash: None,
        size: None,
    })
}
