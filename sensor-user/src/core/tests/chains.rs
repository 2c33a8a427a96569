//! Chains over events: what they list, what does not count, what bounds them.

use std::path::Path;
use std::rc::Rc;

use super::{Core, Finding, Trust};
use crate::alert::schema::Alert;
use crate::detect::{Branch, Level, RuleSet, Sources};
use crate::event::stage::Stage;
use crate::event::{Operations, ProcessKey};

const STORE: &str = "/home/dev/.config/google-chrome/Default/Login Data";
const ORDERED: &str = "  type: temporal_ordered\n  rules:\n    - \
    00000000-0000-4000-8000-000000000004\n    - 00000000-0000-4000-8000-000000000002\n  group-by: \
    [SessionId]\n  timespan: 10m\n";
/// Each file is a group of its own, and none is ever a chain.
const MANY: &str = "  type: event_count\n  rules: [00000000-0000-4000-8000-000000000004]\n  \
    group-by: [FileName]\n  timespan: 10m\n  condition:\n    gte: 900\n";

fn rules(correlation: &str) -> Rc<RuleSet> {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "title: A Chain\nid: 00000000-0000-4000-8000-0000000000c0\nlevel: critical\ncorrelation:\n\
         {correlation}"
    );
    std::fs::write(folder.path().join("chain.yml"), text).unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core/tests/rules");
    let rules = RuleSet::load(&Sources {
        rule_dirs: vec![own, folder.path().to_owned()],
        ..Sources::default()
    });
    Rc::new(rules.unwrap())
}

fn python(stage: &mut Stage, process: ProcessKey) {
    let args = ["python", "app.py"];
    stage.exec(process, "/usr/bin/python3.11", &args, "/home/dev/app", &[]);
}

fn alerts(core: &mut Core, stage: &Stage) -> Vec<Alert> {
    let findings = stage.events.iter().flat_map(|event| core.handle(event));
    findings
        .filter_map(|finding| match finding {
            Finding::Alert(alert) => Some(*alert),
            _ => None,
        })
        .collect()
}

fn chains(stage: &Stage, trust: Trust) -> Vec<Alert> {
    let mut core = Core::sharing(rules(ORDERED), trust);
    let mut all = alerts(&mut core, stage);
    all.retain(|alert| alert.title == "A Chain");
    all
}

fn theft(stage: &mut Stage, process: ProcessKey) {
    stage.open(process, STORE, Operations::READ, 0);
    stage.connect(process, "9.9.9.9", 4444, 111);
}

#[test]
fn what_ends_a_chain_raises_an_alert_that_lists_its_links_and_replay_repeats_it() {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    python(&mut stage, root);
    theft(&mut stage, root);
    let mut core = Core::sharing(rules(ORDERED), Trust::default());
    let all = alerts(&mut core, &stage);
    let [read, connected, chain] = &all[..] else {
        panic!("{:?}", all.iter().map(|a| &a.title).collect::<Vec<_>>())
    };
    let ids: Vec<_> = chain.links.iter().map(|link| &link.alert_id).collect();
    assert_eq!(ids, [&read.id, &connected.id]);
    assert_eq!(chain.links[0].summary, read.summary);
    assert_eq!(chain.level, Level::Critical);
    assert_eq!(chain.detection_branch, Branch::MaliciousLibraryC2Callback);
    assert_eq!(chain.destination, connected.destination);
    assert!(
        chain.summary.ends_with("ending a chain of 2 alerts"),
        "{}",
        chain.summary
    );
    assert_eq!(
        core.report().alerts,
        [&*read.id, &*connected.id, &*chain.id]
    );
    let json = |alerts: &[Alert]| serde_json::to_string(alerts).unwrap();
    let mut again = Core::sharing(rules(ORDERED), Trust::default());
    assert_eq!(json(&alerts(&mut again, &stage)), json(&all));
}

#[test]
fn a_chain_is_one_alert_however_often_its_end_comes() {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    python(&mut stage, root);
    theft(&mut stage, root);
    for port in 5000..5005 {
        stage.connect(root, "9.9.9.9", port, 111);
    }
    let mut core = Core::sharing(rules(ORDERED), Trust::default());
    let all = alerts(&mut core, &stage);
    let mut chain = all.iter().filter(|alert| alert.title == "A Chain");
    let id = &chain.next().unwrap().id;
    assert_eq!(chain.next(), None);
    assert_eq!(core.report().repeats.get(id), Some(&5));
}

#[test]
fn a_link_that_repeats_an_alert_is_that_alert() {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    python(&mut stage, root);
    stage.open(root, STORE, Operations::READ, 0);
    stage.pass(3_600_000_000_000);
    theft(&mut stage, root);
    let [chain] = &chains(&stage, Trust::default())[..] else {
        panic!()
    };
    // The first alert of that file, an hour ago, though it is the second read that counts.
    assert!(chain.links[0].time < chain.links[1].time[..14].to_owned());
    assert!(chain.links[0].summary.contains("Login Data"));
}

#[test]
fn the_wrong_order_another_session_and_a_suppressed_link_are_no_chain() {
    let mut reversed = Stage::new("python app.py");
    let root = reversed.root;
    python(&mut reversed, root);
    reversed.connect(root, "9.9.9.9", 4444, 111);
    reversed.open(root, STORE, Operations::READ, 0);
    assert!(chains(&reversed, Trust::default()).is_empty());

    let mut apart = Stage::daemon();
    let (one, other) = (apart.lineage(), apart.lineage());
    python(&mut apart, one);
    python(&mut apart, other);
    apart.open(one, STORE, Operations::READ, 0);
    apart.connect(other, "9.9.9.9", 4444, 111);
    assert!(chains(&apart, Trust::default()).is_empty());

    let mut trusted = Stage::new("python app.py");
    let root = trusted.root;
    python(&mut trusted, root);
    theft(&mut trusted, root);
    assert_eq!(chains(&trusted, Trust::default()).len(), 1);
    let mut trust = Trust::default();
    trust.add("9.0.0.0/8").unwrap();
    assert!(chains(&trusted, trust).is_empty());
}

#[test]
fn what_is_too_much_for_a_chain_is_counted_where_completeness_is_told() {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    python(&mut stage, root);
    for number in 0..5000 {
        let path = format!("/home/dev/{number}/Login Data");
        stage.open(root, &path, Operations::READ, 0);
    }
    stage.connect(root, "9.9.9.9", 4444, 111);
    let mut core = Core::sharing(rules(MANY), Trust::default());
    let all = alerts(&mut core, &stage);
    let last = &all.last().unwrap().completeness;
    let told = "904 matches were not looked at for chains: there were too many";
    assert_eq!(last.degraded, [told]);
    assert!(last.complete, "nothing was lost: {last:?}");
}

#[test]
fn a_chain_goes_on_over_a_reload_where_its_rule_stays_what_it_was() {
    let mut stage = Stage::new("python app.py");
    let root = stage.root;
    python(&mut stage, root);
    theft(&mut stage, root);
    for (after, expected) in [(ORDERED.to_owned(), 1), (ORDERED.replace("10m", "9m"), 0)] {
        let mut core = Core::sharing(rules(ORDERED), Trust::default());
        let mut found = 0;
        for event in &stage.events {
            if event.time == stage.events[stage.events.len() - 2].time {
                core.renew(rules(&after), Trust::default());
            }
            for finding in core.handle(event) {
                found += usize::from(matches!(finding, Finding::Alert(a) if a.title == "A Chain"));
            }
        }
        assert_eq!(found, expected);
    }
}
