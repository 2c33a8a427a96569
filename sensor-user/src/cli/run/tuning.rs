//! `PKGWARDEN_TUNING`: sizes and hooks of the sensor, for tests and for support, not for users:
//! `lineage_entries=64,detail_ring_bytes=4096,hooks=fallback`.

use crate::event::WatchSet;
use crate::kernel::{HookPreference, SensorConfig};

const VARIABLE: &str = "PKGWARDEN_TUNING";

/// A setting that can't be understood.
#[derive(Debug, thiserror::Error)]
#[error(
    "{VARIABLE} has the part `{part}`: the settings are process_ring_bytes, detail_ring_bytes, lineage_entries (numbers), hooks (best, fallback), probe_log (true, false)"
)]
pub(crate) struct TuningError {
    part: String,
}

/// Everything of a sensor's configuration but what to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuning {
    process_ring_bytes: u32,
    detail_ring_bytes: u32,
    lineage_entries: u32,
    hooks: HookPreference,
    probe_log: bool,
}

impl Default for Tuning {
    /// Rings for bursts of some 10,000 events: an install of 350 packages opens 19,000 files in 8
    /// seconds, of which few are watched. A ring takes twice its size of address space.
    fn default() -> Self {
        Self {
            process_ring_bytes: 4 << 20,
            detail_ring_bytes: 8 << 20,
            lineage_entries: 65_536,
            hooks: HookPreference::Best,
            probe_log: false,
        }
    }
}

/// The defaults, with what the environment says.
pub(crate) fn from_environment() -> Result<Tuning, TuningError> {
    match std::env::var(VARIABLE) {
        Ok(text) => parse(&text),
        Err(_) => Ok(Tuning::default()),
    }
}

fn parse(text: &str) -> Result<Tuning, TuningError> {
    let mut tuning = Tuning::default();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let wrong = || TuningError {
            part: part.to_owned(),
        };
        let (key, value) = part.split_once('=').ok_or_else(wrong)?;
        let number = || value.parse::<u32>().map_err(|_| wrong());
        match (key, value) {
            ("process_ring_bytes", _) => tuning.process_ring_bytes = number()?,
            ("detail_ring_bytes", _) => tuning.detail_ring_bytes = number()?,
            ("lineage_entries", _) => tuning.lineage_entries = number()?,
            ("hooks", "best") => tuning.hooks = HookPreference::Best,
            ("hooks", "fallback") => tuning.hooks = HookPreference::Fallback,
            ("probe_log", _) => tuning.probe_log = value.parse().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        }
    }
    Ok(tuning)
}

impl Tuning {
    /// A sensor that watches this, below the children of this process.
    pub(crate) fn config(self, watch: WatchSet) -> SensorConfig {
        SensorConfig {
            watch,
            process_ring_bytes: self.process_ring_bytes,
            detail_ring_bytes: self.detail_ring_bytes,
            lineage_entries: self.lineage_entries,
            hooks: self.hooks,
            probe_log: self.probe_log,
            carrier: Some(std::process::id()),
            enter: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_nonsense_is_named() {
        let tuning = parse("lineage_entries=64,hooks=fallback,").unwrap();
        assert_eq!(tuning.lineage_entries, 64);
        assert_eq!(tuning.hooks, HookPreference::Fallback);
        assert_eq!(parse("").unwrap(), Tuning::default());
        for wrong in ["x", "lineage_entries=-1", "hooks=none", "probe_log=1"] {
            assert!(parse(wrong).unwrap_err().to_string().contains(wrong));
        }
    }
}
