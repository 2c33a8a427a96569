//! What a process used, as /proc tells it.

use std::fs;
use std::process::Child;

use anyhow::Context;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// Seconds of CPU of a process's own, its children's left out; of all its threads, also those that
/// ended. In steps of 10 ms.
pub(super) fn cpu(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} is gone"))?;
    // The name may hold spaces and brackets; proc(5), fields 14 and 15.
    let (_, rest) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
    let ticks: u64 = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let second = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100);
    Ok(ticks as f64 / second as f64)
}

/// Waits for a child and tells its own CPU; fails if it did.
pub(super) fn cpu_at_end(child: &mut Child) -> anyhow::Result<f64> {
    let pid = child.id();
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(Pid::from_raw(pid.cast_signed())), ended)?;
    let used = cpu(pid)?;
    let status = child.wait()?;
    anyhow::ensure!(status.success(), "process {pid} ended with {status}");
    Ok(used)
}

/// Resident memory without the rings, in MiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) peak: f64,
    pub(super) now: f64,
}

pub(super) fn memory(pid: u32) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.with_context(|| format!("no {name} in /proc/{pid}/status"))
    };
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps"))?;
    let mut of_a_map = false;
    let mut rings = 0;
    for line in maps.lines() {
        if let Some(size) = line.strip_prefix("Rss:") {
            let size = size
                .split_whitespace()
                .next()
                .and_then(|n| n.parse::<u64>().ok());
            rings += if of_a_map { size.unwrap_or(0) } else { 0 };
        } else if line
            .split(' ')
            .next()
            .is_some_and(|range| range.contains('-'))
        {
            of_a_map = line.contains("bpf-map");
        }
    }
    let without = |kib: u64| kib.saturating_sub(rings) as f64 / 1024.0;
    Ok(Memory {
        peak: without(field("VmHWM")?),
        now: without(field("VmRSS")?),
    })
}
