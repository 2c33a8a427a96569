//! The machine that was measured, in a few words.

use std::fs;

use xshell::{Shell, cmd};

/// Lines for the page: nothing that names the machine.
pub(super) fn describe(sh: &Shell) -> anyhow::Result<Vec<String>> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unknown CPU", |(_, model)| model);
    let cpus = cpuinfo
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = fs::read_to_string("/proc/meminfo")?;
    let memory = memory
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0_u64);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel = kernel
        .split('-')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    let first = |line: &str| -> String {
        let read = cmd!(sh, "sh -c {line}")
            .quiet()
            .ignore_stderr()
            .ignore_status()
            .read();
        let read = read.unwrap_or_default();
        read.lines().next().unwrap_or("not here").trim().to_owned()
    };
    Ok(vec![
        format!("{cpus} × {model}, {} GiB, Linux {kernel}", memory >> 20),
        format!(
            "node {}, npm {}, {}",
            first("node --version"),
            first("npm --version"),
            first("/usr/bin/python3 --version")
        ),
        format!(
            "auditd {}, {}",
            first("dpkg-query -W -f '${Version}' auditd"),
            first("bpftrace --version")
        ),
    ])
}
