//! Prometheus' text format, 0.0.4, by way of OpenMetrics', which `prometheus-client` writes.
//!
//! The two differ in what a counter's HELP and TYPE lines name: OpenMetrics' leave `_total` out, and
//! a reader of 0.0.4 (node_exporter's textfile collector) then takes the samples for another, untyped
//! metric. `# EOF` is not in 0.0.4 either.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

const PREFIX: &str = "pkgwarden_";

type Labels = Vec<(&'static str, String)>;

/// A metric with all its series.
#[derive(Debug)]
pub(super) struct Family {
    name: String,
    help: &'static str,
    kind: MetricType,
    series: Vec<(Labels, f64)>,
}

impl Family {
    pub(super) fn gauge(name: &str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Gauge)
    }

    /// `name` without `_total`.
    pub(super) fn counter(name: &str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::Counter)
    }

    fn new(name: &str, help: &'static str, kind: MetricType) -> Self {
        Self {
            name: format!("{PREFIX}{name}"),
            help,
            kind,
            series: Vec::new(),
        }
    }

    pub(super) fn with(mut self, labels: Labels, value: f64) -> Self {
        self.series.push((labels, value));
        self
    }

    pub(super) fn value(self, value: f64) -> Self {
        self.with(Vec::new(), value)
    }
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            let mut metric =
                encoder.encode_descriptor(&family.name, family.help, None, family.kind)?;
            // Through `encode_family` a series without labels would get empty braces.
            if let [(labels, value)] = family.series.as_slice()
                && labels.is_empty()
            {
                encode(family.kind, *value, metric)?;
                continue;
            }
            for (labels, value) in &family.series {
                encode(family.kind, *value, metric.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

fn encode(kind: MetricType, value: f64, series: MetricEncoder<'_>) -> fmt::Result {
    match kind {
        // Counts are whole.
        MetricType::Counter => ConstCounter::new(value as u64).encode(series),
        _ => ConstGauge::new(value).encode(series),
    }
}

pub(super) fn text(families: Vec<Family>) -> String {
    let counters: Vec<String> = families
        .iter()
        .filter(|family| matches!(family.kind, MetricType::Counter))
        .map(|family| family.name.clone())
        .collect();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families)));
    let mut open_metrics = String::new();
    // Writing to a string does not fail.
    let _ = text::encode_registry(&mut open_metrics, &registry);
    let mut out = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest))
                if counters.iter().any(|counter| counter == name) =>
            {
                out.push_str(&format!("# {what} {name}_total {rest}\n"));
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

pub(super) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
