//! The accounting: what the probes counted, beside what was received.

use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray};
use sensor_ebpf::abi::counter::{LINEAGE, SLOTS};
use sensor_ebpf::abi::kind;

use super::error::SensorError;
use super::watch::{failed, missing};
use crate::event::{Count, Counters};

const NAME: &str = "COUNTERS";

/// `sensor_ebpf::abi::counter::Count`, as aya wants it.
type Slot = [u64; 4];

/// `sensor_ebpf::abi::counter::Counts`.
type Slots = [Slot; SLOTS];

/// Both sides of the counting.
pub(super) struct Accounting {
    kernel: PerCpuArray<MapData, Slots>,
    received: [u64; kind::COUNT as usize],
    undecodable: [u64; kind::COUNT as usize],
}

impl Accounting {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, SensorError> {
        let map = ebpf.take_map(NAME).ok_or_else(|| missing(NAME))?;
        let kernel = PerCpuArray::try_from(map).map_err(|error| failed(NAME, &error))?;
        let none = [0; kind::COUNT as usize];
        Ok(Self {
            kernel,
            received: none,
            undecodable: none,
        })
    }

    /// A record of this kind came out of a ring.
    pub(super) fn received(&mut self, kind: u32) {
        if let Some(count) = self.received.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// A record of this kind made no sense: it was delivered, but is lost all the same.
    pub(super) fn undecodable(&mut self, kind: u32) {
        if let Some(count) = self.undecodable.get_mut(kind as usize) {
            *count += 1;
        }
    }

    pub(super) fn snapshot(&self) -> Result<Counters, SensorError> {
        let slots = self.slots()?;
        let mut counters = Counters::default();
        for &(number, name) in kind::ALL {
            let [generated, delivered, filtered, lost] = slots[number as usize];
            let received = self.received[number as usize];
            let undecodable = self.undecodable[number as usize];
            let (delivered, lost) = (delivered - undecodable, lost + undecodable);
            let count = Count {
                generated,
                delivered,
                filtered,
                lost,
                received,
            };
            counters.kinds.insert(name, count);
        }
        counters.lineage_full = slots[LINEAGE as usize][3];
        Ok(counters)
    }

    /// The sums over all CPUs.
    fn slots(&self) -> Result<Slots, SensorError> {
        let cpus = self
            .kernel
            .get(&0, 0)
            .map_err(|error| failed(NAME, &error))?;
        let mut sums = Slots::default();
        for cpu in cpus.iter() {
            let counts = cpu.iter().flatten();
            for (sum, count) in sums.iter_mut().flatten().zip(counts) {
                *sum += count;
            }
        }
        Ok(sums)
    }
}
