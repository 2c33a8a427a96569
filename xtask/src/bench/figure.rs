//! What was measured, and the aims.

/// Values of one thing, measured again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample(Vec<f64>);

impl Sample {
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The value below which this part of all lies.
    pub(super) fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else {
            return f64::NAN;
        };
        let at = part * last as f64;
        let (low, high) = (at.floor() as usize, at.ceil() as usize);
        sorted[low] + (sorted[high] - sorted[low]) * (at - at.floor())
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Ratio,
    Percent,
    Seconds,
    Milliseconds,
    Nanoseconds,
    Mebibytes,
    PerSecond,
    Count,
}

impl Unit {
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Unit::Ratio => format!("× {value:.3}"),
            Unit::Percent => format!("{value:.1} %"),
            Unit::Seconds => format!("{value:.2} s"),
            Unit::Milliseconds => format!("{value:.1} ms"),
            Unit::Nanoseconds if value.abs() >= 10_000.0 => format!("{:.1} µs", value / 1_000.0),
            Unit::Nanoseconds => format!("{value:.0} ns"),
            Unit::Mebibytes => format!("{value:.1} MiB"),
            Unit::PerSecond => format!("{value:.0}/s"),
            Unit::Count => format!("{value:.0}"),
        }
    }
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

/// One row.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) what: String,
    pub(super) unit: Unit,
    pub(super) aim: Option<Aim>,
    /// Which part of all values is compared with the aim.
    pub(super) quantile: f64,
    pub(super) sample: Sample,
}

impl Figure {
    /// Its median counts.
    pub(super) fn new(what: impl Into<String>, unit: Unit, sample: Sample) -> Self {
        Self {
            what: what.into(),
            unit,
            aim: None,
            quantile: 0.5,
            sample,
        }
    }

    pub(super) fn one(what: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self::new(what, unit, Sample::from_iter([value]))
    }

    pub(super) fn at_most(mut self, aim: f64) -> Self {
        self.aim = Some(Aim::AtMost(aim));
        self
    }

    pub(super) fn at_least(mut self, aim: f64) -> Self {
        self.aim = Some(Aim::AtLeast(aim));
        self
    }

    /// This part of all values counts.
    pub(super) fn quantile(mut self, quantile: f64) -> Self {
        self.quantile = quantile;
        self
    }

    pub(super) fn value(&self) -> f64 {
        self.sample.quantile(self.quantile)
    }

    pub(super) fn is_met(&self) -> Option<bool> {
        self.aim.map(|aim| match aim {
            Aim::AtMost(most) => self.value() <= most,
            Aim::AtLeast(least) => self.value() >= least,
        })
    }
}

/// A table of the page.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// Sentences: what was done.
    pub(super) how: Vec<String>,
    /// To do it by hand.
    pub(super) commands: Vec<String>,
    pub(super) figures: Vec<Figure>,
    /// What could not be measured, and why.
    pub(super) skipped: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        let sample: Sample = [4.0, 1.0, 3.0, 2.0].into_iter().collect();
        assert_eq!(sample.quantile(0.5), 2.5);
        assert_eq!(sample.quantile(0.0), 1.0);
        assert_eq!(sample.quantile(1.0), 4.0);
        assert!(Sample::default().quantile(0.5).is_nan());
    }

    #[test]
    fn an_aim_is_met_on_its_own_side() {
        let figure = |value| Figure::one("x", Unit::Ratio, value);
        assert_eq!(figure(1.0).at_most(1.015).is_met(), Some(true));
        assert_eq!(figure(1.1).at_most(1.015).is_met(), Some(false));
        assert_eq!(figure(1.0).at_least(2.0).is_met(), Some(false));
        assert_eq!(figure(1.0).is_met(), None);
    }
}
