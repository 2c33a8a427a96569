//! The probes, as user space holds them.

#![expect(missing_docs, reason = "a stand-in")]

use crate::event::{Counters, Event, ProcessKey, WatchSet};

/// What a sensor is started with.
#[derive(Debug, Clone, Default)]
pub struct SensorConfig {
    pub watch: WatchSet,
    pub process_ring_bytes: u32,
    pub detail_ring_bytes: u32,
    pub lineage_entries: u32,
    pub hooks: HookPreference,
    pub probe_log: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HookPreference {
    #[default]
    Best,
    Fallback,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookStatus {
    pub kind: String,
    pub chosen: Option<String>,
    pub refused: Vec<(String, String)>,
}

#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    #[error("this build has no probes in it: run `cargo xtask build`")]
    NoProbes,
}

#[derive(Debug)]
pub enum Sensor {}

impl Sensor {
    pub fn start(_: &SensorConfig) -> Result<Sensor, SensorError> {
        Err(SensorError::NoProbes)
    }

    pub fn watch(&mut self, _: u32) -> Result<ProcessKey, SensorError> {
        match *self {}
    }

    pub async fn next(&mut self) -> Result<Vec<Event>, SensorError> {
        match *self {}
    }

    pub fn drain(&mut self) -> Result<Vec<Event>, SensorError> {
        match *self {}
    }

    pub fn counters(&self) -> Result<Counters, SensorError> {
        match *self {}
    }

    pub fn hooks(&self) -> &[HookStatus] {
        match *self {}
    }

    pub fn alive(&self) -> Vec<ProcessKey> {
        match *self {}
    }

    pub fn programs(&self) -> Vec<(String, Option<u32>)> {
        match *self {}
    }
}
