//! Making records and counting them.

use aya_ebpf::{
    helpers::generated::{
        bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
        bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_ringbuf_output,
    },
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use sensor_ebpf::abi::{
    Header,
    counter::{self, Counts},
    lineage::Lineage,
};

use super::atomic;

/// Fork, exec and exit: what lineage needs, on a ring that nothing else can fill.
#[map]
static PROCESS_RING: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Everything else.
#[map]
static EVENT_RING: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

#[map]
static COUNTERS: PerCpuArray<Counts> = PerCpuArray::with_max_entries(1, 0);

#[map]
static SEQUENCE: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Which ring a record goes to.
#[derive(Clone, Copy)]
pub enum Ring {
    Process,
    Event,
}

#[derive(Clone, Copy)]
enum Outcome {
    Generated,
    Delivered,
    Filtered,
    Lost,
}

/// Adds one. Atomic although the slot is this CPU's own: cgroup programs can be preempted.
#[inline(always)]
fn count(slot: u32, outcome: Outcome) {
    let Some(counts) = COUNTERS.get_ptr_mut(0) else {
        return;
    };
    let slot = slot as usize;
    if slot >= counter::SLOTS {
        return;
    }
    // SAFETY: a map value, which lives as long as the program; the slot is one of its own.
    let cell = unsafe {
        let counts = (&raw mut (*counts).slots)
            .cast::<counter::Count>()
            .add(slot);
        match outcome {
            Outcome::Generated => &raw mut (*counts).generated,
            Outcome::Delivered => &raw mut (*counts).delivered,
            Outcome::Filtered => &raw mut (*counts).filtered,
            Outcome::Lost => &raw mut (*counts).lost,
        }
    };
    // SAFETY: as above, and aligned.
    unsafe { atomic::fetch_add(cell, 1) };
}

/// A probe ran for a watched process.
#[inline(always)]
pub fn generated(kind: u32) {
    count(kind, Outcome::Generated);
}

/// No watch entry wants the event.
#[inline(always)]
pub fn filtered(kind: u32) {
    count(kind, Outcome::Filtered);
}

/// The event could not be read or delivered.
#[inline(always)]
pub fn lost(kind: u32) {
    aya_log_ebpf::warn!((), "an event of kind {} could not be made", kind);
    count(kind, Outcome::Lost);
}

/// A process could not enter the lineage set.
#[inline(always)]
pub fn lineage_full() {
    aya_log_ebpf::error!((), "the lineage set is full: a process goes unwatched");
    count(counter::LINEAGE, Outcome::Lost);
}

/// The header of a record that the current process causes.
#[inline(always)]
pub fn header(kind: u32, lineage: &Lineage) -> Header {
    // SAFETY: these helpers take nothing.
    let (ids, uid, cgroup) = unsafe {
        (
            bpf_get_current_pid_tgid(),
            bpf_get_current_uid_gid() as u32,
            bpf_get_current_cgroup_id(),
        )
    };
    let (cpu, time, sequence) = now();
    Header {
        kind,
        cpu,
        time,
        sequence,
        pid: (ids >> 32) as u32,
        tid: ids as u32,
        start: lineage.start,
        uid,
        root_pid: lineage.root_pid,
        root_start: lineage.root_start,
        cgroup,
    }
}

/// The header of a record that the process of an earlier one causes, which need not be current.
#[inline(always)]
pub fn again(kind: u32, earlier: &Header) -> Header {
    let (cpu, time, sequence) = now();
    Header {
        kind,
        cpu,
        time,
        sequence,
        ..*earlier
    }
}

/// Where a record stands among all: its CPU, its time, its place in the CPU's sequence.
#[inline(always)]
fn now() -> (u32, u64, u64) {
    // SAFETY: these helpers take nothing.
    let (cpu, time) = unsafe { (bpf_get_smp_processor_id(), bpf_ktime_get_boot_ns()) };
    let sequence = SEQUENCE.get_ptr_mut(0).map_or(0, |next| {
        // SAFETY: an aligned map value.
        unsafe { atomic::fetch_add(next, 1) }
    });
    (cpu, time, sequence)
}

/// Has a record put together in the event ring itself, and counts what became of it. `fill` says whether
/// it could be.
#[inline(always)]
pub fn place<T: 'static>(kind: u32, fill: impl FnOnce(*mut T) -> bool) {
    let Some(mut entry) = EVENT_RING.reserve::<T>(0) else {
        return lost(kind);
    };
    if fill(entry.as_mut_ptr()) {
        entry.submit(0);
        count(kind, Outcome::Delivered);
    } else {
        entry.discard(0);
        lost(kind);
    }
}

/// Puts `length` bytes from `record` on a ring, and counts what became of them.
#[inline(always)]
pub fn emit(ring: Ring, kind: u32, record: *const u8, length: u32) {
    let map = match ring {
        Ring::Process => &raw const PROCESS_RING,
        Ring::Event => &raw const EVENT_RING,
    };
    // SAFETY: the verifier checks that the record is readable for its length.
    let failed = unsafe {
        bpf_ringbuf_output(
            map.cast_mut().cast(),
            record.cast_mut().cast(),
            u64::from(length),
            0,
        )
    };
    count(
        kind,
        if failed < 0 {
            Outcome::Lost
        } else {
            Outcome::Delivered
        },
    );
}
