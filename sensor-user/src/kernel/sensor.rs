//! The running sensor: what is watched, and what was seen.

use std::cell::Cell;

use aya::maps::{HashMap, MapData, RingBuf};
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use nix::time::{ClockId, clock_gettime};
use sensor_ebpf::abi::exec::VARIABLE_KEY;
use tokio::io::unix::AsyncFd;

use super::attach;
use super::counters::Accounting;
use super::decode::{decode, kind_of};
use super::error::{SensorError, chain};
use super::hook::{CONNECT_FALLBACK, HookStatus};
use super::log;
use super::memory::give_back;
use super::object::OBJECT;
use super::offsets;
use super::order::{CADENCE, HOLD, Order};
use super::presence::Presence;
use super::running::{self, Running};
use super::set::{self, Member, Set};
use super::watch::{Tables, failed, missing};
use crate::event::redact;
use crate::event::{Counters, Event, ProcessKey, WatchSet};

/// How to set the sensor up.
#[derive(Debug, Clone)]
pub struct SensorConfig {
    /// Which files to report.
    pub watch: WatchSet,
    /// Power of two, at least a page.
    pub process_ring_bytes: u32,
    /// Power of two, at least a page.
    pub detail_ring_bytes: u32,
    /// Processes that can be watched at a time.
    pub lineage_entries: u32,
    /// Which hooks to try.
    pub hooks: HookPreference,
    /// The process whose children are watched, each as the root of a lineage.
    pub carrier: Option<u32>,
    /// Names of executables that begin a lineage wherever they are started. With some, processes that
    /// run already can be found too.
    pub enter: Vec<String>,
    /// Let the probes explain themselves through the `log` facility.
    pub probe_log: bool,
}

impl Default for SensorConfig {
    fn default() -> Self {
        Self {
            watch: WatchSet::default(),
            process_ring_bytes: 4 << 20,
            detail_ring_bytes: 8 << 20,
            lineage_entries: 65_536,
            hooks: HookPreference::Best,
            carrier: None,
            enter: Vec::new(),
            probe_log: false,
        }
    }
}

/// Which hooks to try where a kind has more than one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HookPreference {
    /// All, best first.
    #[default]
    Best,
    /// All but the first: so that the others are tested too.
    Fallback,
}

/// Loaded and attached; everything ends with it.
pub struct Sensor {
    ebpf: Ebpf,
    hooks: Vec<HookStatus>,
    accounting: Accounting,
    presence: Presence,
    tables: Tables,
    names: Vec<String>,
    lineage: Set,
    process_ring: AsyncFd<RingBuf<MapData>>,
    event_ring: AsyncFd<RingBuf<MapData>>,
    order: Order,
    log: Option<EbpfLogger<log::Stderr>>,
    /// Connects come from the syscall's exit, addresses and all.
    connects_at_exit: bool,
}

thread_local! {
    static LOADER: Cell<Option<EbpfLoader<'static>>> = const { Cell::new(None) };
}

/// Does the part of a start that takes most memory, for this thread. Called before rules are loaded,
/// the two don't add up: aya 0.14 reads all of the kernel's type information when a loader is made,
/// although it is given what it needs.
pub fn prepare() {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    give_back();
    LOADER.set(Some(loader));
}

impl Sensor {
    /// Loads the probes and attaches them. Nothing is watched yet.
    pub fn start(config: &SensorConfig) -> Result<Self, SensorError> {
        let object = OBJECT.ok_or(SensorError::NoObject)?;
        let mut loader = LOADER.take().unwrap_or_else(EbpfLoader::new);
        loader.btf(None);
        let (offsets, btf) = offsets::resolve()?;
        loader
            .btf(Some(&btf))
            .override_global("OFFSETS", offsets.as_slice(), true)
            .map_max_entries("PROCESS_RING", config.process_ring_bytes)
            .map_max_entries("EVENT_RING", config.detail_ring_bytes)
            .map_max_entries("LINEAGE", config.lineage_entries)
            .map_max_entries("SCRATCH", cpus()?);
        log::set_level(&mut loader, config.probe_log);
        let mut ebpf = loader.load(object).map_err(|error| load_error(&error))?;
        let tables = Tables::compile(&config.watch);
        tables.install(&mut ebpf)?;
        install_variables(&mut ebpf)?;
        set::install_names(&mut ebpf, &config.enter)?;
        let hooks = attach::all(&mut ebpf, &btf, config.hooks)?;
        if !config.enter.is_empty() {
            running::load(&mut ebpf, &btf).map_err(SensorError::Load)?;
        }
        let connects_at_exit = hooks
            .iter()
            .any(|hook| hook.chosen.as_deref() == Some(CONNECT_FALLBACK));
        let mut lineage = Set::take(&mut ebpf)?;
        if let Some(carrier) = config.carrier {
            lineage.add_carrier(carrier)?;
        }
        // Before the rings take their place beside it.
        drop(btf);
        give_back();
        Ok(Self {
            presence: Presence::of(&ebpf),
            tables,
            names: config.enter.clone(),
            accounting: Accounting::new(&mut ebpf)?,
            lineage,
            process_ring: ring(&mut ebpf, "PROCESS_RING")?,
            event_ring: ring(&mut ebpf, "EVENT_RING")?,
            log: log::reader(&mut ebpf, config.probe_log),
            ebpf,
            hooks,
            order: Order::default(),
            connects_at_exit,
        })
    }

    /// Confirms that a child of the carrier is watched, as it is since its fork, and says who it is.
    pub fn watch(&mut self, pid: u32) -> Result<ProcessKey, SensorError> {
        let member = self.lineage.member(pid)?;
        let process = member.map(|member| member.process);
        process.ok_or_else(|| SensorError::Process {
            pid,
            cause: "it did not enter the lineage set".into(),
        })
    }

    /// Makes every process that this one will make the root of a lineage. False if it is watched
    /// itself, or a carrier already.
    pub fn add_carrier(&mut self, pid: u32) -> Result<bool, SensorError> {
        self.lineage.add_carrier(pid)
    }

    /// Its children are no longer watched; those it has stay so.
    pub fn remove_carrier(&mut self, pid: u32) -> Result<(), SensorError> {
        self.lineage.remove_carrier(pid)
    }

    /// The processes there are. Only with names to enter by.
    pub fn running(&mut self) -> Result<Vec<Running>, SensorError> {
        running::all(&mut self.ebpf)
    }

    /// Puts a process that runs already into a lineage. False if it is in one, or has ended.
    pub fn adopt(&mut self, process: ProcessKey, root: ProcessKey) -> Result<bool, SensorError> {
        self.lineage.adopt(process, root)
    }

    /// Takes a process out of the set whose end no probe saw. One that lives stays in.
    pub fn forget_if_ended(&mut self, process: ProcessKey) -> Result<(), SensorError> {
        match set::lives(process) {
            true => Ok(()),
            false => self.lineage.forget(process),
        }
    }

    /// Who has this pid in the lineage set.
    pub fn member(&self, pid: u32) -> Result<Option<Member>, SensorError> {
        self.lineage.member(pid)
    }

    /// The lineage set.
    pub fn members(&self) -> Vec<Member> {
        self.lineage.members()
    }

    /// The watched processes that still live.
    pub fn alive(&self) -> Vec<ProcessKey> {
        let members = self.lineage.members().into_iter();
        members.map(|member| member.process).collect()
    }

    /// Reports other files from now on. What both the old and the new entries want is reported
    /// throughout. On an error the old ones stay.
    pub fn renew(&mut self, watch: &WatchSet) -> Result<(), SensorError> {
        let tables = Tables::compile(watch);
        tables.replace(&self.tables, &mut self.ebpf)?;
        self.tables = tables;
        Ok(())
    }

    /// The next events, in order; waits until there are some. Nothing is lost if it is cancelled.
    pub async fn next(&mut self) -> Result<Vec<Event>, SensorError> {
        loop {
            if self.order.is_empty() {
                let (process, event) = (&mut self.process_ring, &mut self.event_ring);
                tokio::select! {
                    ready = process.readable_mut() => ready.map(|mut ready| ready.clear_ready()),
                    ready = event.readable_mut() => ready.map(|mut ready| ready.clear_ready()),
                }
                .map_err(SensorError::Wait)?;
            }
            // One sleep serves two ends: records settle into their order, and a busy ring wakes us
            // once for many.
            tokio::time::sleep(CADENCE).await;
            let now = boottime()?;
            self.read();
            let events = self.order.take(now.saturating_sub(HOLD.as_nanos() as u64));
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }

    /// Everything that happened before the call.
    pub fn drain(&mut self) -> Result<Vec<Event>, SensorError> {
        let now = boottime()?;
        std::thread::sleep(HOLD);
        self.read();
        Ok(self.order.take(now))
    }

    /// Reads both rings empty. The process ring goes second: whatever a record of the other refers
    /// to was there before it.
    fn read(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        for ring in [&mut self.event_ring, &mut self.process_ring] {
            while let Some(item) = ring.get_mut().next() {
                let kind = kind_of(&item).unwrap_or(u32::MAX);
                match decode(&item, self.connects_at_exit) {
                    Ok(records) => {
                        self.accounting.received(kind);
                        records
                            .into_iter()
                            .for_each(|record| self.order.add(record));
                    }
                    Err(_) => self.accounting.undecodable(kind),
                }
            }
        }
    }

    /// The accounting of both sides.
    pub fn counters(&self) -> Result<Counters, SensorError> {
        Ok(Counters {
            out_of_order: self.order.late(),
            ..self.accounting.snapshot()?
        })
    }

    /// What was put into the kernel and is not there any more, or not as it was.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = self.presence.missing();
        if !self.tables.are_in_place(&self.ebpf) {
            missing.push("the watch entries".to_owned());
        }
        if !set::names_are_in_place(&self.ebpf, &self.names) {
            missing.push("the names of executables that begin a lineage".to_owned());
        }
        missing
    }

    /// Which hook feeds which kind.
    pub fn hooks(&self) -> &[HookStatus] {
        &self.hooks
    }

    /// The programs in the kernel, and how many instructions the verifier looked at (since 5.16).
    pub fn programs(&self) -> Vec<(String, Option<u32>)> {
        let mut programs: Vec<_> = self
            .ebpf
            .programs()
            .filter_map(|(name, program)| {
                let info = program.info().ok()?;
                Some((name.to_owned(), info.verified_instruction_count()))
            })
            .collect();
        programs.sort();
        programs
    }
}

/// CLOCK_BOOTTIME, in nanoseconds.
fn boottime() -> Result<u64, SensorError> {
    let time =
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_err(|errno| SensorError::Wait(errno.into()))?;
    Ok(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// CPUs that may ever be there: `0-3` means four.
fn cpus() -> Result<u32, SensorError> {
    aya::util::nr_cpus()
        .map(|count| count as u32)
        .map_err(|(_, error)| SensorError::Load(format!("can't count the CPUs: {error}")))
}

fn load_error(error: &aya::EbpfError) -> SensorError {
    let text = chain(error);
    if text.contains("os error 1)") || text.contains("os error 13)") {
        SensorError::NoPrivileges(text)
    } else {
        SensorError::Load(text)
    }
}

fn install_variables(ebpf: &mut Ebpf) -> Result<(), SensorError> {
    const NAME: &str = "VARIABLES";
    let map = ebpf.map_mut(NAME).ok_or_else(|| missing(NAME))?;
    let mut map: HashMap<_, [u8; VARIABLE_KEY], u32> =
        HashMap::try_from(map).map_err(|error| failed(NAME, &error))?;
    for name in redact::ENVIRONMENT {
        let mut key = [0; VARIABLE_KEY];
        let length = name.len().min(VARIABLE_KEY);
        key[..length].copy_from_slice(&name.as_bytes()[..length]);
        map.insert(key, 1, 0)
            .map_err(|error| failed(NAME, &error))?;
    }
    Ok(())
}

fn ring(ebpf: &mut Ebpf, name: &'static str) -> Result<AsyncFd<RingBuf<MapData>>, SensorError> {
    let map = ebpf.take_map(name).ok_or_else(|| missing(name))?;
    let ring = RingBuf::try_from(map).map_err(|error| failed(name, &error))?;
    // SAFETY: the ring owns its descriptor, and `AsyncFd` owns the ring: it stays open meanwhile.
    unsafe { AsyncFd::register_with_interest(ring, tokio::io::Interest::READABLE) }
        .map_err(|error| SensorError::Wait(error.into()))
}
