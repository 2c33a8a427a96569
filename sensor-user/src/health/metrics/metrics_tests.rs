use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::alert::sample;

fn filled() -> Metrics {
    let mut metrics = Metrics::new(UNIX_EPOCH + Duration::from_millis(1_767_323_045_500));
    let count = Count {
        generated: 812,
        delivered: 400,
        filtered: 400,
        lost: 12,
        received: 399,
    };
    let counters = Counters {
        kinds: [("connect", count), ("exec", count)].into(),
        lineage_full: 3,
        ..Counters::default()
    };
    metrics.ring_read(UNIX_EPOCH + Duration::from_secs(1_767_323_050), &counters);
    metrics.alert(&sample::postinstall());
    metrics.alert(&sample::postinstall());
    metrics.alert(&sample::callback());
    let mut silenced = sample::postinstall();
    silenced.evidence.suppressed_by = Some("node-gyp \"quoted\"\\ \n".to_owned());
    metrics.suppressed(&silenced);
    metrics.health(Code::EventsLost);
    metrics.sessions_open(2);
    metrics.lineage(17);
    metrics.outbox(OutboxFigures {
        queued: 5,
        spilled: 6,
        spilled_bytes: 6_000,
        sent: 100,
        late: 7,
        dropped: BTreeMap::from([(Dropped::SpillFull, 9)]),
        ..OutboxFigures::default()
    });
    metrics.store(StoreFigures {
        bytes: 1 << 20,
        errors: 1,
    });
    metrics.hooks(&[
        "exec: btf_tracepoint sched_process_exec".to_owned(),
        "connect: cgroup connect4, connect6".to_owned(),
    ]);
    metrics
}

/// One sample: its name, labels and value.
type Sample = (String, BTreeMap<String, String>, f64);

/// Reads the text as Prometheus documents the format, and no more lenient than that: HELP, TYPE, then
/// the samples of that very name, no series twice, no metric twice.
fn parse(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n'));
    let (mut samples, mut seen) = (Vec::new(), BTreeSet::new());
    let (mut name, mut typed) = (String::new(), false);
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (metric, sentence) = help.split_once(' ').expect("a help text");
            assert!(sentence.ends_with('.'), "{line}");
            assert!(seen.insert(metric.to_owned()), "{metric} comes twice");
            (name, typed) = (metric.to_owned(), false);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (metric, kind) = kind.split_once(' ').expect("a type");
            assert_eq!(metric, name, "TYPE follows its HELP");
            assert!(matches!(kind, "counter" | "gauge"), "{line}");
            assert_eq!(kind == "counter", metric.ends_with("_total"), "{line}");
            typed = true;
        } else {
            assert!(!line.starts_with('#'), "{line}");
            let (metric, labels, value) = sample(line);
            assert!(typed && metric == name, "{line} stands under {name}");
            assert!(metric.starts_with("pkgwarden_"), "{line}");
            let series = format!("{metric} {labels:?}");
            assert!(seen.insert(series), "{line} comes twice");
            samples.push((metric, labels, value));
        }
    }
    samples
}

fn sample(line: &str) -> Sample {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = line.find(|c| !is_name(c)).expect("a value");
    let (metric, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(list) = rest.strip_prefix('{') {
        rest = list;
        loop {
            let end = rest.find(|c| !is_name(c)).unwrap();
            let (label, after) = rest.split_at(end);
            let mut characters = after.strip_prefix("=\"").expect("a quoted value").chars();
            let mut value = String::new();
            loop {
                match characters.next().expect("a closing quote") {
                    '"' => break,
                    '\\' => value.push(match characters.next() {
                        Some('n') => '\n',
                        Some(c @ ('\\' | '"')) => c,
                        other => panic!("bad escape {other:?} in {line}"),
                    }),
                    c => value.push(c),
                }
            }
            assert!(labels.insert(label.to_owned(), value).is_none());
            rest = characters.as_str();
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').expect("a closing brace");
    }
    let value = rest.strip_prefix(' ').expect("one blank before the value");
    (metric.to_owned(), labels, value.parse().expect("a number"))
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted: BTreeMap<String, String> = labels
        .iter()
        .map(|(label, value)| (label.to_string(), value.to_string()))
        .collect();
    let found = samples
        .iter()
        .find(|(metric, labels, _)| metric == name && *labels == wanted);
    found
        .unwrap_or_else(|| panic!("{name} {labels:?} is missing"))
        .2
}

#[test]
fn the_text_is_prometheus_and_has_every_figure() {
    let samples = parse(&filled().render());
    let of = |name: &str, labels: &[(&str, &str)]| value(&samples, name, labels);
    let exec = [("kind", "exec")];
    assert_eq!(of("pkgwarden_events_generated_total", &exec), 812.0);
    assert_eq!(of("pkgwarden_events_delivered_total", &exec), 400.0);
    assert_eq!(of("pkgwarden_events_received_total", &exec), 399.0);
    assert_eq!(of("pkgwarden_events_filtered_total", &exec), 400.0);
    assert_eq!(of("pkgwarden_events_lost_total", &exec), 12.0);
    let medium = [
        ("branch", "PackageInstallSpawnedSuspiciousProcess"),
        ("level", "medium"),
    ];
    assert_eq!(of("pkgwarden_alerts_total", &medium), 2.0);
    let filter = [("filter", "node-gyp \"quoted\"\\ \n")];
    assert_eq!(of("pkgwarden_alerts_suppressed_total", &filter), 1.0);
    assert_eq!(
        of("pkgwarden_health_total", &[("code", "events_lost")]),
        1.0
    );
    assert_eq!(of("pkgwarden_health_total", &[("code", "tampered")]), 0.0);
    assert_eq!(of("pkgwarden_sessions_open", &[]), 2.0);
    assert_eq!(of("pkgwarden_lineage_processes", &[]), 17.0);
    assert_eq!(of("pkgwarden_lineage_refused_total", &[]), 3.0);
    assert_eq!(of("pkgwarden_journal_queued", &[]), 5.0);
    assert_eq!(of("pkgwarden_journal_spilled_bytes", &[]), 6_000.0);
    assert_eq!(of("pkgwarden_journal_sent_total", &[]), 100.0);
    let full = [("cause", "spill_full")];
    assert_eq!(of("pkgwarden_journal_dropped_total", &full), 9.0);
    assert_eq!(of("pkgwarden_store_bytes", &[]), 1_048_576.0);
    assert_eq!(of("pkgwarden_start_time_seconds", &[]), 1_767_323_045.5);
    let hook = [("kind", "connect"), ("hook", "cgroup connect4, connect6")];
    assert_eq!(of("pkgwarden_hook_info", &hook), 1.0);
}

#[test]
fn a_daemon_that_saw_nothing_yet_has_its_counters_at_zero() {
    let samples = parse(&Metrics::new(UNIX_EPOCH).render());
    let alerts = samples
        .iter()
        .filter(|(name, _, _)| name == "pkgwarden_alerts_total");
    assert_eq!(alerts.count(), 20);
    for cause in Dropped::ALL {
        let cause = [("cause", cause.name())];
        assert_eq!(
            value(&samples, "pkgwarden_journal_dropped_total", &cause),
            0.0
        );
    }
}

#[test]
fn a_thousand_filters_are_not_a_thousand_series() {
    let mut metrics = Metrics::new(UNIX_EPOCH);
    let mut alert = sample::postinstall();
    for number in 0..1000 {
        alert.evidence.suppressed_by = Some(format!("filter {number}"));
        metrics.suppressed(&alert);
    }
    let samples = parse(&metrics.render());
    let filters: Vec<f64> = samples
        .iter()
        .filter(|(name, _, _)| name == "pkgwarden_alerts_suppressed_total")
        .map(|(_, _, value)| *value)
        .collect();
    assert_eq!(filters.len(), FILTERS + 1);
    assert_eq!(filters.iter().sum::<f64>(), 1000.0);
}

#[test]
fn its_own_memory_is_measured() {
    let mut metrics = Metrics::new(UNIX_EPOCH);
    metrics.measure();
    let samples = parse(&metrics.render());
    let bytes = value(&samples, "pkgwarden_resident_memory_bytes", &[]);
    assert!(bytes > 1_000_000.0, "{bytes}");
}

#[test]
fn the_file_is_replaced_whole_and_for_everyone_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pkgwarden.prom");
    for text in ["a 1\n".repeat(100), "b 2\n".to_owned()] {
        write_textfile(&path, &text).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_link_put_in_the_way_of_the_file_is_replaced_and_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pkgwarden.prom");
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    for name in ["pkgwarden.prom", ".pkgwarden.prom.new"] {
        std::os::unix::fs::symlink(&victim, folder.path().join(name)).unwrap();
    }
    write_textfile(&path, "a 1\n").unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a 1\n");
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none").join("pkgwarden.prom");
    assert!(write_textfile(&path, "a 1\n").is_err());
}
