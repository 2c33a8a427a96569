//! Numbered acts under watch, and as many outside at the same time: what was seen is counted.

use std::collections::BTreeMap;
use std::process::{Child, Command};

use serde_json::Value;
use tests::{Capture, Scratch, Turn, Watched, fixture, need, require};

const ACT: &str = env!("CARGO_BIN_EXE_act");
const KINDS: [&str; 4] = ["exec", "open", "connect", "rename"];

/// The generator, unwatched; killed when dropped.
struct Outside(Child);

impl Outside {
    fn start(scratch: &Scratch, count: &str) -> Self {
        let child = Command::new(ACT)
            .args(["chain", count, "out"])
            .arg(scratch.tmp())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn finish(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The number of a captured act of the generator and its tag, if it is one.
fn numbered(event: &Value) -> Option<(String, u32)> {
    let tag_and_number = |text: &str| {
        let name = text.rsplit('/').next()?;
        let name = name.strip_prefix("exec-").unwrap_or(name);
        let (tag, rest) = name.split_once('-')?;
        let digits = rest.get(..6)?;
        ["in", "out"]
            .contains(&tag)
            .then(|| digits.parse().ok().map(|number| (tag.to_owned(), number)))?
    };
    match event["event"].as_str()? {
        "exec" => tag_and_number(event["exec"]["args"][1].as_str()?),
        "open" => tag_and_number(event["open"]["path"].as_str()?),
        "rename" => tag_and_number(event["to"]["path"].as_str()?),
        "connect" => {
            let ip: std::net::Ipv4Addr = event["socket"]["ip"].as_str()?.parse().ok()?;
            let [127, net @ (10 | 11), high, low] = ip.octets() else {
                return None;
            };
            let tag = if net == 10 { "in" } else { "out" };
            Some((tag.into(), u32::from(u16::from_be_bytes([high, low]))))
        }
        _ => None,
    }
}

/// How often each number of each kind is in the capture; panics on one from outside.
fn counts(capture: &Capture) -> BTreeMap<(String, u32), u32> {
    let mut counts = BTreeMap::new();
    for event in &capture.events {
        let Some((tag, number)) = numbered(event) else {
            continue;
        };
        assert_eq!(
            tag, "in",
            "an act outside the watched tree was recorded: {event}"
        );
        let kind = event["event"].as_str().unwrap().to_owned();
        // A rename act makes its file first: not one of the opens that are counted.
        let path = event["open"]["path"].as_str().unwrap_or_default();
        if kind == "open" && path.contains(".before.") {
            continue;
        }
        *counts.entry((kind, number)).or_default() += 1;
    }
    counts
}

fn numbered_rules() -> [String; 3] {
    let rules = fixture::folder("rules/numbered");
    [
        "--no-default-rules".into(),
        "--rules".into(),
        rules.display().to_string(),
    ]
}

#[test]
fn every_watched_act_is_delivered_once_and_none_from_outside() {
    need!(require::live());
    const ACTS: u32 = 2_000;
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    let count = ACTS.to_string();
    let folder = scratch.tmp();

    let outside = Outside::start(&scratch, &count);
    let seen = Watched::run(
        &scratch,
        [ACT, "chain", &count, "in", folder.to_str().unwrap()],
    )
    .options(numbered_rules())
    .finish();
    outside.finish();

    seen.ended_with(0).complete();
    let counts = counts(&seen.capture);
    for kind in KINDS {
        for number in 1..=ACTS {
            let times = counts.get(&(kind.to_owned(), number)).copied().unwrap_or(0);
            assert_eq!(
                times, 1,
                "{kind} {number} was recorded {times} times\n{seen:?}"
            );
        }
    }
    let completeness = &seen.report["completeness"];
    assert_eq!(completeness["lost"], 0);
    let delivered = completeness["delivered"].as_u64().unwrap();
    assert!(delivered >= u64::from(ACTS) * 4, "{completeness}");
    assert!(
        seen.report["processes"].as_u64().unwrap() >= u64::from(ACTS),
        "{seen:?}"
    );
}

#[test]
fn a_ring_that_is_too_small_loses_detail_and_says_so_and_keeps_the_lineage() {
    need!(require::live());
    const ACTS: usize = 500;
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    // A file, so that the marker stands on the last command's line alone.
    let script = format!(
        "{ACT} long-exec {ACTS} in {}\nsh -c ': the-count-is-done'\n:\n",
        scratch.tmp().display()
    );
    scratch.write("script.sh", script);

    let seen = Watched::run(&scratch, ["sh", "script.sh"])
        .options(numbered_rules())
        .tuning("detail_ring_bytes=4096")
        .finish();

    seen.ended_with(0).sums();
    let completeness = &seen.report["completeness"];
    let lost = completeness["lost"].as_u64().unwrap();
    assert!(lost > 0, "a ring of one page lost nothing\n{seen:?}");
    assert_eq!(completeness["complete"], false, "{seen:?}");
    assert!(!completeness["lost_by_kind"].is_null(), "{seen:?}");
    let alert = seen.alert(
        "PackageInstallSpawnedSuspiciousProcess",
        "high",
        "on the last command",
        |alert| {
            alert
                .text("/row/SubjectCmdLine")
                .contains("the-count-is-done")
        },
    );
    assert_eq!(*alert.at("/completeness/complete"), false, "{alert:?}");
    assert!(
        seen.health
            .iter()
            .any(|health| health["code"] == "events_lost"),
        "{seen:?}"
    );
    // Whatever became of their arguments, every exec is there, in the right place of the tree.
    seen.capture.all_in_the_watched_tree();
    let execs: Vec<_> = seen
        .capture
        .of("exec")
        .filter(|event| event["exec"]["detail_lost"] == true)
        .collect();
    assert_eq!(execs.len(), ACTS, "{seen:?}");
    let generator = &execs[0]["exec"]["parent_pid"];
    for exec in &execs {
        let path = exec["exec"]["executable"]["path"].as_str().unwrap();
        assert!(path == "true" || path.ends_with("/true"), "{exec}");
        assert_eq!(&exec["exec"]["parent_pid"], generator, "{exec}");
    }
}

#[test]
fn with_fail_on_a_session_that_lost_events_ends_with_87() {
    need!(require::live());
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    let folder = scratch.tmp();

    let seen = Watched::run(
        &scratch,
        [ACT, "long-exec", "200", "in", folder.to_str().unwrap()],
    )
    .options(numbered_rules())
    .tuning("detail_ring_bytes=4096")
    .fail_on("high")
    .finish();

    seen.ended_with(87);
    assert_eq!(seen.report["exit"]["decided_by"], "incomplete", "{seen:?}");
}
